package main

import (
	"strings"
	"testing"
)

func TestAuth(t *testing.T) {
	b := newBench(t)
	for name, args := range map[string]string{
		"auth-hub":                  "hub",
		"auth-hub-json":             "hub --json",
		"auth-hub-nsc":              "hub --nsc",
		"auth-service":              "service sharing",
		"auth-service-full":         "service user-profile --publishes user,tenant --snapshots user",
		"auth-service-full-json":    "service user-profile --publishes user,tenant --snapshots user --json",
		"auth-service-full-nsc":     "service user-profile --publishes user,tenant --snapshots user --nsc --account SERVICES --name up",
		"auth-service-captures":     "service user-profile --publishes user --snapshots user --captures",
		"auth-service-slot-json":    "service user-profile --captures --slot mine --js-domain replhub --json",
		"auth-service-bad-slot":     "service user-profile --captures --slot *",
		"auth-service-lone-slot":    "service user-profile --slot mine",
		"auth-service-domain-json":  "service sharing --js-domain replhub --json",
		"auth-operator":             "operator",
		"auth-operator-json":        "operator --json",
		"auth-operator-deletes":     "operator --deletes user,tenant",
		"auth-operator-bad-entity":  "operator --deletes User",
		"auth-observer":             "observer",
		"auth-observer-json":        "observer --json",
		"auth-account-hub":          "account hub",
		"auth-account-services":     "account services",
		"auth-account-hub-nsc":      "account hub --nsc",
		"auth-account-services-nsc": "account services --nsc",
		"auth-bad-service":          "service Sharing",
		"auth-bad-entity-json":      "service sharing --publishes user,no.name --json",
		"auth-bad-account":          "account third",
		"auth-nsc-and-json":         "hub --nsc --json",
		"auth-account-without-nsc":  "hub --account A",
	} {
		t.Run(name, func(t *testing.T) {
			b.golden(t, name, execute(t.Context(), "", append([]string{"auth"}, strings.Fields(args)...)...))
		})
	}
}
