package inbox_test

import (
	"slices"
	"strconv"
	"testing"
)

// What a row of an owner and a row of the replica are compared by is equal for each value
// in each type of column, and differs where something else is stored.
func TestNormalFormsOfEachType(t *testing.T) {
	for _, d := range typedDatabases() {
		if d.name == "MariaDB without strict mode" {
			continue // it stores the same, as TestTypes shows
		}
		t.Run(d.name, func(t *testing.T) {
			write, read := d.open(t)
			d.create(t, write)
			for n, c := range d.types {
				d.store(t, write, n)
				of, stored, err := d.replica(t, n).Normals(t.Context(), write, nil)
				if err != nil {
					t.Fatalf("%s: %v", c.column, err)
				}
				texts := d.read(t, read, n)
				seen := map[string]int{}
				for at, s := range samples() {
					id := len(nulls) + at
					have, ok := stored[strconv.Itoa(id)]
					if !ok || !texts[id].Valid && s.raw != "null" {
						continue // it was refused
					}
					if want := of(`{"v":` + s.raw + `}`); !slices.Equal(have, want) {
						t.Errorf("%s: %s: %q at the owner, %q in the replica", c.column, s.label, want, have)
					}
					if len(have) == 0 {
						continue
					}
					if before, ok := seen[have[0]]; ok && texts[before].String != texts[id].String && !c.like.byValue() {
						t.Errorf("%s: %q and %q have one form, %q", c.column, texts[before].String, texts[id].String, have[0])
					}
					seen[have[0]] = id
				}
				for id, payload := range nulls {
					if have, want := stored[strconv.Itoa(id)], of(payload); !slices.Equal(have, want) {
						t.Errorf("%s: %s: %q at the owner, %q in the replica", c.column, payload, want, have)
					}
				}
			}
		})
	}
}

// byValue says that the column may keep several spellings of one value.
func (l likeness) byValue() bool {
	return l == likeNumber || l == likeFloat || l == likeJSON || l == likeAny || l == likeSQLiteJSON
}
