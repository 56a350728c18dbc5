// Package livetable is the screen of replhub watch on a terminal: a table of services with
// curves, sorted by trouble, of which one can be opened. Model is a program of bubbletea
// (MIT, about 1 MB in the binary): raw input, resizes, and a terminal that is given back
// after a panic are its business. Version 1 will not do: it asks the terminal for its colour
// at the start of every command. Update and View are pure: time and answers come in as
// messages.
//
// An answer goes through the files in this order: model.go takes it, history.go remembers
// it, order.go sorts, list.go or detail.go draws.
package livetable
