package reconnect

import (
	"net/url"
	"strings"
)

// WithoutSecrets leaves user, password and token out of URLs.
func WithoutSecrets(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		part = strings.TrimSpace(part)
		if !strings.Contains(part, "://") {
			part = "nats://" + part
		}
		u, err := url.Parse(part)
		if err != nil {
			parts[i] = "(not a URL)"
			continue
		}
		u.User = nil
		parts[i] = u.String()
	}
	return strings.Join(parts, ",")
}
