package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Registration is how a service registers an interest that was tried.
type Registration struct{ JSON, CLI, Go string }

// NewRegistration writes a registration in its three forms.
func NewRegistration(service, entity, filter string, fields []string) Registration {
	in := contract.Interest{Entity: entity, Definition: contract.Definition{Filter: filter, Fields: fields}}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(contract.Register{Interests: []contract.Interest{in}}); err != nil {
		return Registration{}
	}
	body := strings.TrimSpace(b.String())
	cli := "replhub register " + service + " " + entity
	code := fmt.Sprintf("replhub.Registration{Interests: []replhub.Interest{{Entity: %q", entity)
	if filter != "" {
		cli += " --filter " + shellQuote(filter)
		code += fmt.Sprintf(", Filter: %q", filter)
	}
	if len(fields) > 0 {
		cli += " --fields " + shellQuote(strings.Join(fields, ","))
		code += fmt.Sprintf(", Fields: %#v", fields)
	}
	return Registration{
		JSON: "nats req replhub.register." + service + " " + shellQuote(body),
		CLI:  cli,
		Go:   code + "}}}",
	}
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
