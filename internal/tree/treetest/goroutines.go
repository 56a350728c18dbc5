package treetest

import (
	"runtime"
	"strings"
)

// mapGoroutines returns the stacks of goroutines that maps and their client
// libraries have running, without those of the tests around them. A
// connection that the backend owns is no map's.
func mapGoroutines() []string {
	buf := make([]byte, 4<<20)
	var stacks []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		for _, of := range []string{"replhub/zkmap.", "replhub/kvmap.", "go-zookeeper/zk.", "jetstream.("} {
			if strings.Contains(stack, of) && !strings.Contains(stack, "treetest.") {
				stacks = append(stacks, stack)
				break
			}
		}
	}
	return stacks
}
