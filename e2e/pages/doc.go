// Package pages has the tests of what the documentation says of the repository.
package pages
