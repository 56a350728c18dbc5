package replhub_test

import (
	"errors"
	"fmt"

	"github.com/replhub/replhub"
)

// What no publish would take is known before.
func ExampleEvent_Validate() {
	for _, ev := range []replhub.Event{
		{Entity: "user", Op: replhub.Update, Key: "42"},
		{Entity: "User", Op: replhub.Update, Key: "42"},
		{Entity: "user", Op: replhub.Update, Header: map[string][]string{"Nats-Msg-Id": {"1"}}},
	} {
		err := ev.Validate()
		fmt.Println(errors.Is(err, replhub.ErrInvalidEvent), err)
	}
	// Output:
	// false <nil>
	// true invalid event: Entity: name "User": has 'U' at byte 0; a name is made of a-z, 0-9, _ and -
	// true invalid event: Header["Nats-Msg-Id"]: is reserved; the event's own fields set what the hub needs
}

// A key that is not stated is found in the payload.
func ExampleKeyOf() {
	fmt.Println(replhub.KeyOf(replhub.Event{Data: []byte(`{"id":42,"name":"Ada"}`)}))
	fmt.Println(replhub.KeyOf(replhub.Event{Key: "7", Data: []byte(`{"id":42}`)}))
	// Output:
	// 42
	// 7
}

// The order of changes, for those who apply them without package inbox.
func ExamplePosition_Compare() {
	applied := replhub.Position{Epoch: 1, Seq: 900}
	for _, incoming := range []replhub.Position{{Epoch: 1, Seq: 899}, {Epoch: 1, Seq: 901}, {Epoch: 2, Seq: 5}} {
		fmt.Println(applied.Compare(incoming) < 0)
	}
	// Output:
	// false
	// true
	// true
}
