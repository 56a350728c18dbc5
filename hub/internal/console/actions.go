package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// action is something that an operator can do. Its confirmation says what will happen,
// and performing it says what did.
type action struct {
	confirm func(ctx context.Context, form url.Values) (confirmation, error)
	perform func(ctx context.Context, form url.Values) (outcome, error)
}

// confirmation is the page before an action.
type confirmation struct {
	Action, Title, Button string
	// What says what will happen, in sentences.
	What []string
	// Danger says that it cannot be undone.
	Danger bool
	// Form is what the action gets, Back where to go without it.
	Form url.Values
	Back string
}

// outcome is the page after an action.
type outcome struct {
	Title, Back string
	Did         []string
	// Left are what was not done, each with the reason.
	Left []string
}

// actions are all actions by their names.
func (c *Console) actions() map[string]action {
	all := map[string]action{
		"pause":         {c.confirmPause, c.doPause},
		"resume":        {c.confirmResume, c.doResume},
		"rewind":        {c.confirmRewind, c.doRewind},
		"backfill":      {c.confirmBackfill, c.doBackfill},
		"redrive":       {c.confirmRedrive, c.doRedrive},
		"drop":          {c.confirmDrop, c.doDrop},
		"redrive-group": {c.confirmRedriveGroup, c.doRedriveGroup},
		"remove-group":  {c.confirmRemoveGroup, c.doRemoveGroup},
	}
	if c.cfg.Publish {
		all["publish"] = action{c.confirmPublish, c.doPublish}
	}
	return all
}

// actionOf is the action that a request names, or says why there is none.
func (c *Console) actionOf(w http.ResponseWriter, r *http.Request) (action, bool) {
	if !c.operates() {
		c.fail(w, r, http.StatusForbidden, "This console only reads. To operate, start the hub with REPLHUB_CONSOLE=operate, or use the command line.")
		return action{}, false
	}
	a, known := c.actions()[r.PathValue("action")]
	if !known {
		c.notFound(w, r)
		return action{}, false
	}
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusBadRequest, "The form cannot be read.")
		return action{}, false
	}
	return a, true
}

// confirm shows what an action will do.
func (c *Console) confirm(w http.ResponseWriter, r *http.Request) {
	a, ok := c.actionOf(w, r)
	if !ok {
		return
	}
	page, err := a.confirm(r.Context(), r.Form)
	if err != nil {
		c.fail(w, r, statusOf(err), textOf(err))
		return
	}
	page.Action = r.PathValue("action")
	c.render(w, r, "confirm", page)
}

// perform does an action, and logs who asked for it. Only a form that the confirmation
// has filled in is taken.
func (c *Console) perform(w http.ResponseWriter, r *http.Request) {
	a, ok := c.actionOf(w, r)
	if !ok {
		return
	}
	if r.PostForm.Get("confirmed") != "yes" {
		c.fail(w, r, http.StatusBadRequest, "Nothing was done: the action was not confirmed.")
		return
	}
	log := c.log.With("action", r.PathValue("action"), "who", c.who(r), "from", r.RemoteAddr, "form", loggable(r.PostForm))
	if c.proxied(r) {
		log = log.With("forwarded_for", r.Header.Get("X-Forwarded-For"))
	}
	done, err := a.perform(r.Context(), r.PostForm)
	if err != nil {
		log.Warn("an action was refused", "err", err)
		c.fail(w, r, statusOf(err), textOf(err))
		return
	}
	log.Info("an action was done", "did", strings.Join(done.Did, " "), "left", len(done.Left))
	c.render(w, r, "outcome", done)
}

// loggable is a form as one text, without payloads.
func loggable(form url.Values) string {
	var texts []string
	for name, values := range form {
		if name == "confirmed" || name == "payload" || name == "headers" {
			continue
		}
		texts = append(texts, name+"="+strings.Join(values, ","))
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
