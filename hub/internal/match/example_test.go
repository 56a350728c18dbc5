package match_test

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/subjects"
)

// A service that wants some fields of some users.
func Example() {
	user, _ := subjects.ParseName("user")
	sharing, _ := subjects.ParseName("sharing")
	interest, err := match.Compile(match.Definition{
		Entity: user,
		Ops:    subjects.DefaultOps,
		Filter: `data.tenant == "acme"`,
		Fields: []string{"id", "address.city"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	table := match.New(sharing, 0, []*match.Interest{interest})

	payload := `{"id":"42","tenant":"acme","address":{"city":"London","street":"St James's Square"}}`
	e, err := event.Decode(event.Position{Epoch: 1, Seq: 7}, time.Now(), "db.user.create", nil, []byte(payload))
	if err != nil {
		fmt.Println(err)
		return
	}
	decision := table.Expand(e)
	fmt.Println(decision.Subject)
	fmt.Println(string(decision.Data))
	// Output:
	// sub.sharing.user.create.0
	// {"id":"42","address":{"city":"London"}}
}
