package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/replhub/replhub/hub/internal/console/view"
)

//go:embed pages
var pageFiles embed.FS

// parts are the templates that are rendered without the frame of a page.
func parts() []string { return []string{"overview-live", "service-live", "fates"} }

// parsePages parses each page together with its frame.
func parsePages() map[string]*template.Template {
	frame := template.Must(template.New("frame").Funcs(functions()).ParseFS(pageFiles, "pages/frame.html"))
	entries, err := pageFiles.ReadDir("pages")
	if err != nil {
		panic(err) // they are in the binary
	}
	pages := make(map[string]*template.Template)
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), path.Ext(entry.Name()))
		if name == "frame" {
			continue
		}
		page := template.Must(template.Must(frame.Clone()).ParseFS(pageFiles, "pages/"+entry.Name()))
		pages[name] = page
		for _, part := range parts() {
			if page.Lookup(part) != nil {
				pages[part] = page
			}
		}
	}
	return pages
}

func functions() template.FuncMap {
	return template.FuncMap{
		"count":   view.Count,
		"sorts":   view.Sorts,
		"link":    link,
		"time":    view.Time,
		"plural":  view.Plural,
		"payload": view.Payload,
		"uint":    func(n int) uint64 { return uint64(max(n, 0)) },
	}
}

// link is the overview for a query, which Encode has escaped already.
func link(q view.Query) template.URL { return template.URL("/?" + q.Encode()) } //nolint:gosec // as the comment says

// frame is what every page has around its contents.
type frame struct {
	Hub, Page string
	// Operates says that actions are offered, LoggedIn that a token is demanded, and
	// Publishes that events can be published by hand.
	Operates, LoggedIn, Publishes bool
	// Payloads says that payloads may be asked for.
	Payloads bool
	View     any
}

// render answers with a page, or with a part of one.
func (c *Console) render(w http.ResponseWriter, r *http.Request, name string, contents any) {
	f := frame{
		Hub: c.cfg.Hub, Page: name, Operates: c.operates(), LoggedIn: c.cfg.Token != nil, Publishes: c.operates() && c.cfg.Publish,
		Payloads: !c.cfg.HidePayloads, View: contents,
	}
	start := "frame.html"
	for _, part := range parts() {
		if part == name {
			start = part
		}
	}
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, start, f); err != nil {
		c.log.Error("render a page", "page", name, "path", r.URL.Path, "err", err)
		http.Error(w, fmt.Sprintf("the page %s cannot be shown; the hub's log says why", name), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // whoever asked has gone
}

// failure is a page that says what went wrong.
type failure struct {
	Title, Text string
}

func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	c.render(w, r, "failure", failure{http.StatusText(status), text})
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	c.fail(w, r, http.StatusNotFound, "There is no such page.")
}
