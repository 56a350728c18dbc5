package asyncapi

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// object is a YAML mapping in the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// with returns the object and one more member.
func (o object) with(name string, value any) object { return append(o, member{name, value}) }

// MarshalYAML implements yaml.Marshaler.
func (o object) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, m := range o {
		var key, value yaml.Node
		if err := key.Encode(m.name); err != nil {
			return nil, err
		}
		if err := value.Encode(m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		node.Content = append(node.Content, &key, &value)
	}
	return node, nil
}

// example is JSON, whose members stay in their order.
type example string

// MarshalYAML implements yaml.Marshaler.
func (e example) MarshalYAML() (any, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(e), &document); err != nil {
		return nil, fmt.Errorf("example %s: %w", e, err)
	}
	node := document.Content[0]
	plain(node)
	return node, nil
}

// plain takes the style of JSON off.
func plain(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		plain(child)
	}
}

// encode writes a document.
func encode(o object) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(o); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}
