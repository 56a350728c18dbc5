package doctor

import "strings"

// covers reports whether each subject that the second pattern stands for is one that the
// first pattern stands for.
func covers(pattern, of string) bool {
	have, want := strings.Split(pattern, "."), strings.Split(of, ".")
	for i, token := range have {
		switch {
		case token == ">":
			return len(want) > i
		case i >= len(want) || want[i] == ">":
			return false
		case token != "*" && token != want[i]:
			return false
		}
	}
	return len(have) == len(want)
}

// overlaps reports whether some subject is one that both patterns stand for.
func overlaps(a, b string) bool {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; ; i++ {
		switch {
		case i < len(left) && left[i] == ">":
			return i < len(right)
		case i < len(right) && right[i] == ">":
			return i < len(left)
		case i >= len(left) || i >= len(right):
			return len(left) == len(right)
		case left[i] != "*" && right[i] != "*" && left[i] != right[i]:
			return false
		}
	}
}
