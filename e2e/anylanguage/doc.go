// Package anylanguage has a service that uses replhub without its SDK, written
// for Node: the program that docs/any-language.md shows. Its tests run instances
// of it against a real hub and a real PostgreSQL, kill and freeze them, and check
// what the page says.
//
// The tests need Node 18 or later, and npm, which fetches the program's three
// dependencies at the versions of package-lock.json.
package anylanguage
