package console

import (
	"net/http"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/internal/contract"
)

// overviewPage is the overview and the round that it was made of.
type overviewPage struct {
	Round string
	view.Overview
}

func (c *Console) overviewOf(r *http.Request) overviewPage {
	latest := c.collector.get(r.Context())
	query := view.ParseQuery(r.URL.Query())
	if latest == nil {
		return overviewPage{Overview: view.NewOverview(nil, query)}
	}
	return overviewPage{latest.name, view.NewOverview(&latest.Snapshot, query)}
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, "overview", c.overviewOf(r))
}

// overviewPart answers a page that is open: nothing while it shows the latest round.
func (c *Console) overviewPart(w http.ResponseWriter, r *http.Request) {
	if latest := c.collector.get(r.Context()); latest != nil && r.FormValue("round") == latest.name {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	c.render(w, r, "overview-live", c.overviewOf(r))
}

// pulse says whether this hub is well, in a line; every page asks for it.
func (c *Console) pulse(w http.ResponseWriter, _ *http.Request) {
	report := c.cfg.Source().Report
	text := "ready"
	if !report.Dispatching() {
		text = "ingest cannot be reached"
	} else if n := len(report.Degraded()); n > 0 {
		text = "ready, " + view.Plural(uint64(n), "thing") + " degraded"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text)) // whoever asked has gone
}

func (c *Console) laneOf(r *http.Request) (view.Lane, error) {
	status, err := ask[contract.LaneStatus](r.Context(), c, contract.VerbDescribe, r.PathValue("service"),
		contract.Describe{After: r.FormValue("after")})
	if err != nil {
		return view.Lane{}, err
	}
	return view.NewLane(&status, c.now(), c.progress), nil
}

func (c *Console) service(w http.ResponseWriter, r *http.Request) {
	lane, err := c.laneOf(r)
	if err != nil {
		c.fail(w, r, statusOf(err), textOf(err))
		return
	}
	c.render(w, r, "service", lane)
}

func (c *Console) servicePart(w http.ResponseWriter, r *http.Request) {
	lane, err := c.laneOf(r)
	if err != nil {
		http.Error(w, textOf(err), statusOf(err))
		return
	}
	c.render(w, r, "service-live", lane)
}
