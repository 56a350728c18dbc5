package hub_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub"
)

// consoleOf serves a hub's console over HTTP, as a browser meets it.
type consoleOf struct {
	*world
	server *httptest.Server
	client *http.Client
}

func (w *world) console(change ...func(*hub.Config)) *consoleOf {
	w.t.Helper()
	o := w.observe(nil, change...)
	server := httptest.NewServer(o.Handler())
	w.t.Cleanup(server.Close)
	return &consoleOf{w, server, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func operating(c *hub.Config) { c.Console = hub.Console{Mode: hub.ConsoleOperate, Publish: true} }

// do sends a request, with headers in pairs.
func (c *consoleOf) do(method, path, form string, header ...string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	response, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(body)
}

// page is the text of a page that must be there.
func (c *consoleOf) page(path string) string {
	c.t.Helper()
	response, body := c.do(http.MethodGet, path, "")
	if response.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s\n%s", path, response.Status, body)
	}
	return body
}

// act performs an action as a browser does: by the form of its confirmation.
func (c *consoleOf) act(name string, form url.Values, says string) string {
	c.t.Helper()
	confirmation := c.page("/do/" + name + "?" + form.Encode())
	if !strings.Contains(confirmation, says) {
		c.t.Errorf("the confirmation of %s does not say %q:\n%s", name, says, confirmation)
	}
	form.Set("confirmed", "yes")
	response, body := c.do(http.MethodPost, "/do/"+name, form.Encode(), "Sec-Fetch-Site", "same-origin")
	if response.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s\n%s", name, response.Status, body)
	}
	return body
}

// everyPage are the paths of all pages, for tests of what holds for each.
func everyPage() []string {
	return []string{
		"/", "/?q=s&sort=dead&page=2", "/part/overview", "/part/pulse", "/services/sharing", "/part/services/sharing", "/row", "/row?entity=user&key=42",
		"/row?seq=1", "/part/fates?seq=1&entity=user", "/letters", "/letters?service=sharing", "/playground",
		"/playground?entity=user&filter=data.n%3E1&fields=id", "/tail", "/login", "/nowhere", "/assets/console.js", "/assets/vendor/htmx.LICENSE",
	}
}

// No page may load or run anything but the hub's own files.
func TestConsoleIsStrictAboutContents(t *testing.T) {
	w := newWorld(t)
	c := w.console(operating)
	w.register("sharing", `{"entities":["user"]}`)
	w.publish("db.user.create", `{"id":"42","n":2}`)
	inline := regexp.MustCompile(`(?i)<script(?:>|\s[^>]*>\s*[^<\s])|<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-vals="js|(?:src|href|action)="(?:https?:)?//`)
	for _, path := range everyPage() {
		response, body := c.do(http.MethodGet, path, "")
		got := response.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: policy %q lacks %s", path, got, want)
			}
		}
		if strings.Contains(got, "unsafe") || strings.Contains(got, "http") {
			t.Errorf("%s: policy %q", path, got)
		}
		if !strings.HasPrefix(path, "/assets/") {
			if found := inline.FindString(body); found != "" {
				t.Errorf("%s has %q", path, found)
			}
		}
	}
}

// A name, a key, an error or a payload that somebody chose is text on every page.
func TestConsoleShowsHostileTextAsText(t *testing.T) {
	w := newWorld(t)
	c := w.console(operating)
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'`
	w.register("sharing", `{"interests":[{"entity":"user","filter":"data.n > 1 && data.x != '<script>alert(3)</script>'","fields":["<b>","id"]}]}`)
	seq := w.publish("db.user.create", fmt.Sprintf(`{"id":%q,"n":"x"}`, hostile), "X-Hostile", hostile)
	w.eventually("a dead letter", func() error {
		if body := c.page("/letters"); !strings.Contains(body, "filter_error") {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
	asked := url.QueryEscape(hostile)
	for _, path := range []string{
		"/", "/?q=" + asked + "&entity=" + asked + "&state=" + asked, "/services/sharing", "/services/" + url.PathEscape(hostile), "/letters", "/letters?service=" + asked,
		"/letters/1", "/letters/1?payload=show", "/row?entity=user&payload=show&key=" + asked, "/row?entity=" + asked + "&key=x", fmt.Sprintf("/row?seq=%d&payload=show", seq),
		fmt.Sprintf("/part/fates?seq=%d&entity=user", seq), "/playground?payload=show&entity=user&fields=" + asked + "&service=" + asked,
		"/playground?payload=show&entity=user&filter=" + url.QueryEscape("data.n == '"+`<script>`+"'"), "/tail?service=" + asked + "&entity=" + asked,
		"/do/pause?for=1h&service=sharing&x=" + asked, "/do/rewind?service=sharing&to=" + asked, "/do/" + url.PathEscape(hostile),
	} {
		_, body := c.do(http.MethodGet, path, "")
		for _, bad := range []string{"<script>", "<img", "onerror=alert(2)>", "<b>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q:\n%s", path, bad, body)
			}
		}
	}
}

func TestConsoleOnlyReadsByDefault(t *testing.T) {
	w := newWorld(t)
	c := w.console()
	w.register("sharing", `{"entities":["user"]}`)
	if body := c.page("/services/sharing"); strings.Contains(body, "/do/") {
		t.Error("a console that only reads offers actions")
	}
	for _, name := range []string{"pause", "resume", "rewind", "backfill", "redrive", "drop", "redrive-group", "remove-group", "publish"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			form := "confirmed=yes&service=sharing&for=1h&to=1&entity=user&op=create&payload={}"
			path := "/do/" + name
			if method == http.MethodGet {
				path, form = path+"?"+form, ""
			}
			if response, body := c.do(method, path, form, "Sec-Fetch-Site", "same-origin"); response.StatusCode != http.StatusForbidden || !strings.Contains(body, "only reads") {
				t.Errorf("%s %s: %s", method, path, response.Status)
			}
		}
	}
	if info := w.stream("DB").CachedInfo(); info.State.Msgs != 0 {
		t.Error("an event was published")
	}
}

// Another site cannot act with a browser's session, nor read by a name that it has made
// point here.
func TestConsoleRefusesOtherSites(t *testing.T) {
	w := newWorld(t)
	c := w.console(operating)
	w.register("sharing", `{"entities":["user"]}`)
	const form = "confirmed=yes&service=sharing&for=1h"
	for name, header := range map[string][]string{
		"cross-site":   {"Sec-Fetch-Site", "cross-site"},
		"same-site":    {"Sec-Fetch-Site", "same-site"},
		"other origin": {"Origin", "http://evil.example"},
		"other port":   {"Origin", "http://127.0.0.1:1"},
		"null origin":  {"Origin", "null"},
	} {
		if response, _ := c.do(http.MethodPost, "/do/pause", form, header...); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:8280", "127.0.0.1.evil.example", "localhost.evil.example"} {
		for _, path := range []string{"/", "/curves/sharing", "/part/overview", "/assets/console.js"} {
			if response, body := c.do(http.MethodGet, path, "", "Host", host); response.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, "sharing") {
				t.Errorf("%s as %s: %s", path, host, response.Status)
			}
		}
	}
	if response, _ := c.do(http.MethodGet, "/", "", "Host", "localhost:8280"); response.StatusCode != http.StatusOK {
		t.Errorf("localhost: %s", response.Status)
	}
	if response, _ := c.do(http.MethodPost, "/do/pause", "service=sharing&for=1h", "Sec-Fetch-Site", "same-origin"); response.StatusCode != http.StatusBadRequest {
		t.Errorf("without a confirmation: %s", response.Status)
	}
	if strings.Contains(c.page("/services/sharing"), "/do/resume") {
		t.Error("the workers are paused")
	}
}

func TestConsoleWantsTheToken(t *testing.T) {
	const token = "0123456789abcdef-console"
	w := newWorld(t)
	current := token
	c := w.console(func(cfg *hub.Config) {
		operating(cfg)
		cfg.HTTPToken = func() (string, error) { return current, nil }
	})
	w.register("sharing", `{"entities":["user"]}`)
	for _, path := range everyPage() {
		if strings.HasPrefix(path, "/assets/") || path == "/login" {
			continue
		}
		if response, body := c.do(http.MethodGet, path, ""); response.StatusCode != http.StatusUnauthorized || strings.Contains(body, `href="/services/sharing"`) {
			t.Errorf("%s without the token: %s", path, response.Status)
		}
	}
	for _, wrong := range []string{"", "token=", "token=wrong-wrong-wrong-wrong", "token=" + token + "x"} {
		if response, _ := c.do(http.MethodPost, "/login", wrong+"&next=/"); response.StatusCode != http.StatusUnauthorized || len(response.Cookies()) > 0 {
			t.Errorf("login with %q: %s", wrong, response.Status)
		}
	}
	response, _ := c.do(http.MethodPost, "/login", "name=Ada&next=//evil.example/&token="+token)
	if at := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || at != "/" {
		t.Fatalf("login: %s to %s", response.Status, at)
	}
	cookie := response.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, token) {
		t.Errorf("cookie %+v", cookie)
	}
	session := cookie.Name + "=" + cookie.Value
	for _, tt := range []struct {
		header []string
		want   int
	}{
		{[]string{"Cookie", session}, http.StatusOK},
		{[]string{"Authorization", "Bearer " + token}, http.StatusOK},
		{[]string{"Cookie", session, "Host", "console.example.org"}, http.StatusOK},
		{[]string{"Cookie", session + "x"}, http.StatusUnauthorized},
		{[]string{"Cookie", cookie.Name + "=" + "QWRh.9999999999." + strings.Repeat("A", 43)}, http.StatusUnauthorized},
		{[]string{"Authorization", "Bearer wrong-wrong-wrong-wrong"}, http.StatusUnauthorized},
	} {
		if response, _ := c.do(http.MethodGet, "/", "", tt.header...); response.StatusCode != tt.want {
			t.Errorf("%v: %s", tt.header, response.Status)
		}
	}
	if response, _ := c.do(http.MethodGet, "/metrics", "", "Cookie", session); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("metrics with a session: %s", response.Status)
	}
	current = "another-token-of-some-length"
	if response, _ := c.do(http.MethodGet, "/", "", "Cookie", session); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session of a token that was replaced: %s", response.Status)
	}
}

func TestConsoleCanBeOff(t *testing.T) {
	w := newWorld(t)
	c := w.console(func(cfg *hub.Config) { cfg.Console.Mode = hub.ConsoleOff })
	if response, _ := c.do(http.MethodGet, "/", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("/: %s", response.Status)
	}
	if response, _ := c.do(http.MethodGet, "/healthz", ""); response.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", response.Status)
	}
}

// Payloads are shown only to somebody who asks, and never where they are off.
func TestConsoleHidesPayloads(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("hidden=%v", hidden), func(t *testing.T) {
			w := newWorld(t)
			c := w.console(func(cfg *hub.Config) { cfg.Console.HidePayloads = hidden })
			w.register("sharing", `{"interests":[{"entity":"user","filter":"data.n > 1"}]}`)
			w.publish("db.user.create", `{"id":"42","n":2,"secret":"hush-hush"}`)
			w.copies("sharing", 1)
			for _, path := range []string{"/row?entity=user&key=42", "/row?seq=1", "/playground?entity=user&filter=key+!%3D+''"} {
				if strings.Contains(c.page(path), "hush-hush") {
					t.Errorf("%s shows a payload", path)
				}
				if shown := strings.Contains(c.page(path+"&payload=show"), "hush-hush"); shown == hidden {
					t.Errorf("%s, asked for the payload: shown %v", path, shown)
				}
			}
		})
	}
}

// Where payloads are hidden, a filter or fields that read them are not tried: what passes,
// and how large it is, would spell them out condition by condition.
func TestConsoleTriesNothingOnHiddenPayloads(t *testing.T) {
	w := newWorld(t)
	c := w.console(func(cfg *hub.Config) { cfg.Console.HidePayloads, cfg.Console.Mode = true, hub.ConsoleOperate })
	w.register("sharing", `{"interests":[{"entity":"user"}]}`)
	w.publish("db.user.create", `{"id":"42","secret":"hush-hush"}`)
	w.publish("db.user.create", `hush-hush`)
	w.copies("sharing", 2)
	const refused = "payloads are hidden here"
	for _, query := range []string{
		"filter=data.secret.startsWith('h')", "filter='secret'+in+data", "filter=size(data)+%3E+1", "filter=data.all(k,+k+!%3D+'x')",
		"filter=[data].exists(d,+has(d.secret))", "filter=.data.secret+%3D%3D+'x'", "fields=secret",
	} {
		body := c.page("/playground?entity=user&" + query)
		if !strings.Contains(body, refused) || strings.Contains(body, "<dt>Pass</dt>") {
			t.Errorf("%s is tried:\n%s", query, body)
		}
	}
	body := c.page("/playground?entity=user&filter=op+%3D%3D+'create'")
	if strings.Contains(body, refused) || !strings.Contains(body, "<dt>Pass</dt><dd>1</dd>") || !strings.Contains(body, "not_json") || strings.Contains(body, "&#39;h&#39;") {
		t.Errorf("a filter that reads no payload:\n%s", body)
	}
	if _, body := c.do(http.MethodGet, "/do/backfill?service=sharing&entity=user&filter=data.secret+%3D%3D+'x'", ""); !strings.Contains(body, refused) {
		t.Errorf("a backfill with a filter:\n%s", body)
	}
}
