// Package monitoring tests what an operator watches: the alert rules in
// deploy/prometheus and the dashboard in deploy/grafana. Its tests start hubs and bridges,
// break each in one way, and give what /metrics then says to Prometheus's own tools: the
// alert that is meant fires, no other does, and none fires while all is well.
//
// The tools are those of Debian's package prometheus.
package monitoring
