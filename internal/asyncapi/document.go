package asyncapi

import (
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Generate makes the document. folder has the source of package contract.
func Generate(folder string) ([]byte, error) {
	c, err := readComments(folder)
	if err != nil {
		return nil, err
	}
	d := &document{comments: c, schemas: newSchemas(c)}
	for _, s := range d.schemas.streams() {
		d.stream(s)
	}
	d.message(message{
		name: "Refusal", summary: "A request was refused. The headers are those of the NATS micro framework.", payload: d.schemas.reply(new(contract.Refusal)),
		headers: []string{headerServiceError, headerServiceErrorCode}, needed: []string{headerServiceErrorCode},
		exampleHeaders: `{"Nats-Service-Error":"no such field here; check its spelling and place","Nats-Service-Error-Code":"unknown_field"}`,
		example:        `{"error":{"code":"unknown_field","field":"interests[0].opps","message":"no such field here; check its spelling and place"}}`,
	})
	for _, v := range Verbs() {
		d.verb(v)
	}
	return d.encode()
}

const (
	headerServiceError     = "Nats-Service-Error"
	headerServiceErrorCode = "Nats-Service-Error-Code"
)

// ofOthers is the description of a header that is not the contract's.
func ofOthers(header string) string {
	switch header {
	case headerContentType:
		return "The content type of the payload."
	case headerServiceError:
		return "The message of the refusal."
	case headerServiceErrorCode:
		return "The code of the refusal."
	}
	return ""
}

// document is a document in the making.
type document struct {
	comments                       *comments
	schemas                        *schemas
	channels, operations, messages object
}

func (d *document) encode() ([]byte, error) {
	text, err := encode(object{
		{"asyncapi", "3.0.0"},
		{"info", object{
			{"title", "replhub"},
			{"version", "0.1.0"},
			{"description", "Subjects, headers and payloads of a replhub hub on NATS, from the hub's point of view. Made by go test ./internal/asyncapi -update, of the types in internal/contract. reference.md says what they mean."},
			{"license", object{{"name", "Apache-2.0"}}},
		}},
		{"servers", object{{"nats", object{{"host", "127.0.0.1:4222"}, {"protocol", "nats"}, {"description", "NATS with JetStream, as replhub dev starts it."}}}}},
		{"defaultContentType", "application/json"},
		{"channels", d.channels},
		{"operations", d.operations},
		{"components", object{{"messages", d.messages}, {"schemas", d.components()}}},
	})
	return append([]byte("# Made by: go test ./internal/asyncapi -update\n"), text...), err
}

// components are the schemas; the codes of refusals have their meanings.
func (d *document) components() object {
	all := d.schemas.components()
	at := slices.IndexFunc(all, func(m member) bool { return m.name == "Error" })
	schema, ok := all[at].value.(object)
	if !ok {
		return all
	}
	var meanings object
	for _, code := range contract.Codes {
		meanings = meanings.with(string(code), d.comments.meaning("Code", string(code)))
	}
	all[at].value = schema.with("x-codes", meanings)
	return all
}

// stream adds a channel of messages.
func (d *document) stream(s stream) {
	names, refs := object{}, []object{}
	for _, m := range s.messages {
		d.message(m)
		names = names.with(m.name, ref("#/components/messages/"+m.name))
		refs = append(refs, ref("#/channels/"+s.name+"/messages/"+m.name))
	}
	operation := object{{"action", s.action}, {"channel", ref("#/channels/" + s.name)}, {"summary", s.messages[0].summary}, {"messages", refs}}
	d.channel(s.name, s.address, s.description, names)
	if s.reply != nil {
		operation = operation.with("reply", d.reply(s.name, *s.reply))
	}
	d.operations = d.operations.with(s.name, operation)
}

// verb adds the channel of a control verb.
func (d *document) verb(v Verb) {
	request, reply := name(v)+"Request", name(v)+"Reply"
	d.message(message{name: request, summary: v.Summary, payload: d.schemas.request(v.Request), example: v.Example})
	of := ""
	if v.Of != "" {
		of = "{" + v.Of + "}"
	}
	d.channel(v.Name, v.Subject(of), v.Summary, object{{request, ref("#/components/messages/" + request)}})
	d.message(message{name: reply, summary: "The answer to " + v.Name + ".", payload: d.schemas.reply(v.Reply)})
	d.channels = d.channels.with(v.Name+"Reply", object{
		{"address", nil},
		{"messages", object{{reply, ref("#/components/messages/" + reply)}, {"Refusal", ref("#/components/messages/Refusal")}}},
	})
	d.operations = d.operations.with(v.Name, object{
		{"action", receive},
		{"channel", ref("#/channels/" + v.Name)},
		{"summary", v.Summary},
		{"messages", []object{ref("#/channels/" + v.Name + "/messages/" + request)}},
		{"reply", object{
			{"address", object{{"location", "$message.header#/reply"}, {"description", "The reply subject of the NATS message. It must not begin with $, db., sub., dlq. or replhub."}}},
			{"channel", ref("#/channels/" + v.Name + "Reply")},
		}},
	})
}

// reply adds the channel of an answer.
func (d *document) reply(of string, m message) object {
	d.message(m)
	d.channels = d.channels.with(of+"Reply", object{{"address", nil}, {"messages", object{{m.name, ref("#/components/messages/" + m.name)}}}})
	return object{
		{"address", object{{"location", "$message.header#/reply"}, {"description", "The reply subject of the NATS message."}}},
		{"channel", ref("#/channels/" + of + "Reply")},
	}
}

func (d *document) channel(name, address, description string, messages object) {
	o := object{{"address", address}, {"description", description}, {"messages", messages}}
	if parameters := parametersOf(address); len(parameters) > 0 {
		o = o.with("parameters", parameters)
	}
	d.channels = d.channels.with(name, o)
}

// message adds a message to the components.
func (d *document) message(m message) {
	o := object{{"name", m.name}, {"summary", m.summary}}
	if len(m.headers) > 0 {
		o = o.with("headers", d.headers(m))
	}
	if m.payload != nil {
		o = o.with("payload", m.payload)
	}
	if m.example != "" {
		var given object
		if m.exampleHeaders != "" {
			given = given.with("headers", example(m.exampleHeaders))
		}
		o = o.with("examples", []object{given.with("payload", example(m.example))})
	}
	d.messages = d.messages.with(m.name, o)
}

// headers is the schema of a message's headers. Their texts are the contract's comments.
func (d *document) headers(m message) object {
	var properties object
	for _, name := range m.headers {
		if slices.ContainsFunc(properties, func(p member) bool { return p.name == name }) {
			continue
		}
		schema := object{{"type", "string"}}
		if doc := first(d.comments.meaning("Header", name), ofOthers(name)); doc != "" {
			schema = schema.with("description", doc)
		}
		switch name {
		case contract.HeaderReason:
			schema = schema.with("enum", d.comments.valued("Reason"))
		case headerServiceErrorCode:
			schema = schema.with("enum", contract.Codes)
		}
		properties = properties.with(name, schema)
	}
	o := object{{"type", "object"}, {"properties", properties}}
	if len(m.needed) > 0 {
		o = o.with("required", m.needed)
	}
	return o
}

func ref(to string) object { return object{{"$ref", to}} }

// name is a verb's name as types are written.
func name(v Verb) string { return strings.ToUpper(v.Name[:1]) + v.Name[1:] }
