// Package asyncapi makes docs/asyncapi.yaml, the description of replhub's subjects,
// headers and payloads in AsyncAPI 3.0, from the Go types of package contract and their
// comments. Its test compares the page with the types (go test ./internal/asyncapi
// -update writes it); a test of package hub uses every subject of it on a real hub.
//
// verbs.go and channels.go say what there is, comments.go reads the comments, schema.go
// makes JSON schemas of types, document.go puts it together, node.go writes YAML.
package asyncapi
