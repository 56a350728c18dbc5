package outboxtable_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/outboxtable"
)

// row makes a relation and a tuple of "column=text"; "column" alone is NULL, and a name
// with a ! at its end is a bytea.
func row(cells ...string) (*change.Relation, change.Tuple) {
	rel := &change.Relation{Schema: "public", Name: "outbox"}
	var t change.Tuple
	for _, cell := range cells {
		name, text, there := strings.Cut(cell, "=")
		column := change.Column{Name: strings.TrimSuffix(name, "!"), Type: pgtype.TextOID}
		if column.Name != name {
			column.Type = pgtype.ByteaOID
		}
		value := change.Value{Kind: change.Null}
		if there {
			value = change.Value{Kind: change.Text, Text: []byte(text)}
		}
		rel.Columns, t = append(rel.Columns, column), append(t, value)
	}
	return rel, t
}

// A row is the event that its columns say, or an error.
func TestEvent(t *testing.T) {
	debezium := func(more ...string) []string {
		return append([]string{"id=7", "aggregatetype=User", "aggregateid=42"}, more...)
	}
	own := func(op, payload, version string) []string {
		return []string{"entity=user", "entity_key=42", "op=" + op, "payload!=" + payload, "event_id=e1", "version=" + version, "content_type", `header={"X-A":["b"]}`}
	}
	for _, c := range []struct {
		layout string
		cells  []string
		want   string // entity op key version content type|headers|payload; "!" begins a part of an error
	}{
		{"", own("update", `\x7b7d`, "3"), `user update 42 35184372088835 |map[Event-Id:[e1] X-A:[b]]|{}`},
		{"replhub", own("delete", `\xff00`, "0"), "user delete 42 0 |map[Event-Id:[e1] X-A:[b]]|\xff\x00"},
		{"", own("gone", `\x7b7d`, "3"), "!op"},
		{"", own("update", `{}`, "3"), "!hex"},
		{"", own("update", `\x7b7d`, "x"), "!version"},
		{"debezium", debezium("type=UserCreated", `payload={"a":1}`), `user create 42 0 |map[Event-Id:[7] Event-Type:[UserCreated]]|{"a":1}`},
		{"debezium", debezium("type=UserRenamed", "payload=x"), `user update 42 0 |map[Event-Id:[7] Event-Type:[UserRenamed]]|x`},
		{"debezium", debezium("type=UserAddressRemoved", "payload=x"), `user update 42 0 |map[Event-Id:[7] Event-Type:[UserAddressRemoved]]|x`},
		{"debezium", debezium("type=user.deleted", "payload={}"), `user delete 42 0 |map[Event-Id:[7] Event-Type:[user.deleted]]|{}`},
		{"debezium", debezium("type=Recreated", "payload={}"), `user update 42 0 |map[Event-Id:[7] Event-Type:[Recreated]]|{}`},
		{"debezium", debezium("type=delete", "payload={}"), `user delete 42 0 |map[Event-Id:[7] Event-Type:[delete]]|{}`},
		{"debezium", debezium("type=UserRenamed", "payload"), `user delete 42 0 |map[Event-Id:[7] Event-Type:[UserRenamed]]|`},
		{"debezium,create=SignedUp,payload=body", debezium("type=SignedUp", "body=1"), `user create 42 0 |map[Event-Id:[7] Event-Type:[SignedUp]]|1`},
		{"entity=:order,payload=p,op=o", []string{"p={}", "o=UPDATE"}, `order update  0 |map[]|{}`},
		{"entity=:order,payload=p,op=o", []string{"p={}", "o=Shipped"}, "!op"},
		{"entity=e,payload=p,content_type=c", []string{"p=<a/>", "e=order", "c=text/xml"}, `order update  0 text/xml|map[]|<a/>`},
	} {
		t.Run(c.layout+" "+c.want, func(t *testing.T) {
			layout, err := outboxtable.Parse(c.layout)
			if err != nil {
				t.Fatal(err)
			}
			rel, tuple := row(c.cells...)
			r, err := outboxtable.NewReader(layout, rel, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			m, err := r.Event(tuple)
			if part, refused := strings.CutPrefix(c.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v", err)
				}
				return
			}
			got := fmt.Sprintf("%s %s %s %d %s|%v|%s%s", m.Entity, m.Op, m.Key, m.Version, m.ContentType, m.Header, m.Data, m.Bytes)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"kafka": "preset", "entity=a": "payload", "debezium,kye=a": "did you mean key", "entity=,payload=p": "part of the event", "key=a,debezium": "preset",
	} {
		if _, err := outboxtable.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	layout, err := outboxtable.Parse("debezium")
	if err != nil {
		t.Fatal(err)
	}
	rel, _ := row("id=1", "aggregatetype=a")
	if _, err := outboxtable.NewReader(layout, rel, 0, nil); err == nil || !strings.Contains(err.Error(), "no column") {
		t.Errorf("a table without the columns: %v", err)
	}
}
