package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// Page is one tab. Its methods fail the test where the browser does not do as told.
type Page struct {
	t       testing.TB
	b       *Browser
	session string

	mu         sync.Mutex // guards the rest
	complaints []string
	requests   []string
}

// Open opens an empty tab.
func (b *Browser) Open(t testing.TB) *Page {
	t.Helper()
	p := &Page{t: t, b: b}
	var target struct {
		TargetID string `json:"targetId"` //nolint:tagliatelle // the protocol's name
	}
	p.must(b.call(t.Context(), "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	var attached struct {
		SessionID string `json:"sessionId"` //nolint:tagliatelle // the protocol's name
	}
	p.must(b.call(t.Context(), "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p.session = attached.SessionID
	b.mu.Lock()
	b.heard[p.session] = p.hear
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.do(domain+".enable", nil, nil)
	}
	return p
}

func (p *Page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *Page) do(method string, params, result any) {
	p.t.Helper()
	p.must(p.b.call(p.t.Context(), p.session, method, params, result))
}

// hear notes what the page complains of, and what it asks for.
func (p *Page) hear(method string, params json.RawMessage) {
	var m struct {
		Entry   struct{ Level, Text, URL string } `json:"entry"`
		Details struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"` //nolint:tagliatelle // the protocol's name
		Request struct{ URL string } `json:"request"`
	}
	if json.Unmarshal(params, &m) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Log.entryAdded":
		if m.Entry.Level == "error" {
			p.complaints = append(p.complaints, m.Entry.Text+" "+m.Entry.URL)
		}
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, m.Details.Text+" "+m.Details.Exception.Description)
	case "Network.requestWillBeSent":
		p.requests = append(p.requests, m.Request.URL)
	}
}

// Complaints returns the errors of the page since the last call: of scripts, of the
// content security policy, of the network.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := p.complaints
	p.complaints = nil
	return told
}

// Requests returns the addresses that the tab has asked for.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Go opens an address and waits until it is loaded.
func (p *Page) Go(url string) {
	p.t.Helper()
	var went struct{ ErrorText string }
	p.do("Page.navigate", map[string]any{"url": url}, &went)
	if went.ErrorText != "" {
		p.t.Fatalf("open %s: %s", url, went.ErrorText)
	}
	p.Await(fmt.Sprintf("document.readyState === 'complete' && location.href !== 'about:blank' && (%q === location.href || true)", url))
}

// Run runs a script in the page, waits for a promise that it may return, and decodes its
// value.
func (p *Page) Run(script string, value any) {
	p.t.Helper()
	p.must(p.run(script, value))
}

func (p *Page) run(script string, value any) error {
	var out struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Details *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"` //nolint:tagliatelle // the protocol's name
	}
	err := p.b.call(p.t.Context(), p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &out)
	if err != nil {
		return err
	}
	if out.Details != nil {
		return fmt.Errorf("%s: %s %s", script[:min(len(script), 200)], out.Details.Text, out.Details.Exception.Description)
	}
	if value == nil || len(out.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(out.Result.Value, value)
}

// Await waits until a condition holds in the page.
func (p *Page) Await(condition string) {
	p.t.Helper()
	deadline := time.Now().Add(commandTime)
	look := time.NewTicker(30 * time.Millisecond)
	defer look.Stop()
	for {
		holds := false
		err := p.run("Boolean("+condition+")", &holds)
		if err == nil && holds {
			return
		}
		if time.Now().After(deadline) {
			var text string
			_ = p.run("document.body.innerText", &text) // for the message alone
			p.t.Fatalf("waited in vain for %s (%v); the page says:\n%s", condition, err, text)
		}
		select {
		case <-look.C:
		case <-p.t.Context().Done():
			p.t.Fatal(p.t.Context().Err())
		}
	}
}

// Click clicks the first element that a selector finds, and waits for the page that comes.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Run(fmt.Sprintf("window.stays = true; document.querySelector(%q).click()", selector), nil)
	p.Await("!window.stays && document.readyState === 'complete'")
}

// Press presses a key that writes nothing, as Tab or Enter.
func (p *Page) Press(key string, code int) {
	p.t.Helper()
	text := ""
	if key == "Enter" {
		text = "\r"
	}
	p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}, nil)
	p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
}

// Look sets the size of the page in pixels and the colours that the system prefers.
func (p *Page) Look(width, height int, scheme string) {
	p.t.Helper()
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

const (
	// pictureQuality, of 100: text stays sharp, and a page takes about 40 KB.
	pictureQuality = 70
	// maxPicture is the height of a picture at most, in pixels: a page may be long.
	maxPicture = 1600
)

// Picture writes a picture of the page's beginning, which is all of most pages, into a file
// in the format WebP.
func (p *Page) Picture(file string) {
	p.t.Helper()
	var size struct{ Width, Height int }
	p.Run(`({width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight})`, &size)
	var shot struct{ Data string }
	p.do("Page.captureScreenshot", map[string]any{
		"format": "webp", "quality": pictureQuality, "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": size.Width, "height": min(size.Height, maxPicture), "scale": 1},
	}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	p.must(err)
	p.must(os.WriteFile(file, data, 0o600))
}
