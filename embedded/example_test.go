package embedded_test

import (
	"context"
	"fmt"

	"github.com/replhub/replhub/embedded"
)

// A server for a test or a tool: any port, a folder that goes with it.
func ExampleStart() {
	server, err := embedded.Start(context.Background(), embedded.Config{Port: embedded.FreePort})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	nc, err := server.Connect()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	fmt.Println(nc.IsConnected())
	// Output: true
}
