// Package row turns a row of PostgreSQL into an event: the payload is a JSON object
// with a member for each column, and the key is a text that names the row.
//
// What is promised: the values of a row are taken in PostgreSQL's text form, as both
// logical decoding and a SELECT give them, so both ways give the same bytes. No value
// is rounded, replaced or left out: each type has a rule, and what has no rule is
// PostgreSQL's text as a JSON string. Two rows of a table never have one key. A value
// that cannot be the key of an event is an error, never another key.
//
// What is not promised: SQL NULL and the JSON value null of a json or jsonb column are
// both null. A generated column is in no event.
//
// The text form depends on settings of the session; every connection whose values come
// here must be opened with those of change.Settings.
//
// Except for [Types], which reads the catalog, the package is pure. The files in the
// order in which a row goes through them: catalog.go, kind.go, shape.go, value.go,
// moment.go, array.go, text.go, key.go. TYPES.md of package capture has the rules with
// examples; a test writes it from what PostgreSQL gave.
package row
