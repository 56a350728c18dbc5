// Package nearest finds the name that somebody meant who misspelt it.
package nearest

import (
	"math"
	"strings"
)

// Name returns the known name that is nearest to a misspelt one; empty without known
// names. separator parts the words of a name, as "_" in MAX_BYTES.
func Name(misspelt string, known []string, separator string) string {
	nearest, distance := "", math.MaxInt
	for _, k := range known {
		d := editDistance(misspelt, k)
		if strings.HasPrefix(k, misspelt+separator) {
			d = min(d, 2) // a word is missing, as _FILE: nearer than another word of that length
		}
		if d < distance {
			nearest, distance = k, d
		}
	}
	return nearest
}

// editDistance is Levenshtein's: how many letters to add, drop or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
