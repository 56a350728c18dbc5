package push

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/bridge"
)

// origin is what of an address may be shown: its scheme and its host.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// shortestSecret is the length, in bytes, from which a part of an address is masked. A
// shorter one is a word such as "hook" that messages need.
const shortestSecret = 8

// masked is a text without the parts of an address that may be secrets.
func masked(text string, address *url.URL) string {
	for _, secret := range secretsOf(address) {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}

// secretsOf are the parts of an address that may be secrets, the longest first: the path
// and the query, and what they are made of, each as it is sent and as it is meant.
func secretsOf(address *url.URL) []string {
	parts := []string{address.EscapedPath(), address.Path, address.RawQuery}
	parts = append(parts, strings.Split(address.EscapedPath(), "/")...)
	parts = append(parts, strings.Split(address.Path, "/")...)
	for pair := range strings.SplitSeq(address.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		parts = append(parts, value)
	}
	for _, values := range address.Query() {
		parts = append(parts, values...)
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return len(part) < shortestSecret })
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return parts
}

// redirectedTo names the host to which a redirect leads.
func redirectedTo(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	switch {
	case err != nil || h.Get("Location") == "":
		return ""
	case u.Scheme == "" || u.Host == "":
		return ", which is another path of this host"
	default:
		return ", perhaps on " + bridge.OneLine(origin(u), 200)
	}
}
