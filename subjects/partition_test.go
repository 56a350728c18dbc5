package subjects_test

import (
	"hash/fnv"
	"strconv"
	"strings"
	"testing"

	"github.com/replhub/replhub/subjects"
)

// The placement is part of the contract: these values never change.
func TestPartitionGolden(t *testing.T) {
	for _, tc := range []struct {
		key  string
		n    int
		want int
	}{
		{"", 16, 0},
		{"42", 0, 0},
		{"42", 1, 0},
		{"42", -3, 0},
		{"42", 2, 1},
		{"42", 16, 3},
		{"42", 1000, 691},
		{"ada", 3, 1},
		{"ada", 16, 11},
		{"user-1", 16, 4},
		{"é", 16, 1},
		{strings.Repeat("a", 100), 7, 6},
	} {
		if got := subjects.Partition(tc.key, tc.n); got != tc.want {
			t.Errorf("Partition(%q, %d) = %d, want %d", tc.key, tc.n, got, tc.want)
		}
	}
}

func TestPartitionIsFNV1a(t *testing.T) {
	for i := range 1000 {
		key := strconv.Itoa(i * 7919)
		h := fnv.New64a()
		_, _ = h.Write([]byte(key))
		for _, n := range []int{2, 3, 16, 1000} {
			if got, want := subjects.Partition(key, n), int(h.Sum64()%uint64(n)); got != want {
				t.Fatalf("Partition(%q, %d) = %d, want %d", key, n, got, want)
			}
		}
	}
}

func TestPartitionSpreads(t *testing.T) {
	const keys, n = 16000, 16
	var count [n]int
	for i := range keys {
		count[subjects.Partition("user-"+strconv.Itoa(i), n)]++
	}
	for p, c := range count {
		if c < keys/n*3/4 || c > keys/n*5/4 {
			t.Errorf("partition %d got %d of %d keys", p, c, keys)
		}
	}
}
