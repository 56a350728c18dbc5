package console

import (
	"net/http"
	"strings"
	"time"
)

// loginView is the login form.
type loginView struct {
	Next string
	// Wrong says that the token was not the hub's.
	Wrong bool
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	if c.cfg.Token == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	c.render(w, r, "login", loginView{Next: safeNext(r.FormValue("next"))})
}

// login gives a session to whoever has the token.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	if c.cfg.Token == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	want, err := c.cfg.Token()
	next := safeNext(r.PostFormValue("next"))
	if err != nil || !sameToken(strings.TrimSpace(r.PostFormValue("token")), want) {
		c.log.Warn("a login was refused", "from", r.RemoteAddr)
		w.WriteHeader(http.StatusUnauthorized)
		c.render(w, r, "login", loginView{Next: next, Wrong: true})
		return
	}
	name := strings.TrimSpace(r.PostFormValue("name"))
	c.setCookie(w, r, newSession(want, name, c.now()), sessionTime)
	c.log.Info("login", "who", name, "from", r.RemoteAddr)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	c.setCookie(w, r, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (c *Console) setCookie(w http.ResponseWriter, r *http.Request, value string, life time.Duration) {
	age := int(life.Seconds())
	if life < 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.encrypted(r),
	})
}

// encrypted reports whether the browser came over TLS.
func (c *Console) encrypted(r *http.Request) bool {
	return r.TLS != nil || c.proxied(r) && r.Header.Get("X-Forwarded-Proto") == "https"
}

// who is the name that somebody logged in with; empty without one. It is what they said,
// not what was proven.
func (c *Console) who(r *http.Request) string {
	if c.cfg.Token == nil {
		return ""
	}
	token, err := c.cfg.Token()
	if err != nil {
		return ""
	}
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	name, _ := openSession(token, cookie.Value, c.now())
	return name
}
