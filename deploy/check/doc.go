// Package check judges what is deployed in containers: it renders the Helm chart, decodes
// the Kubernetes manifests into the API's own types, loads the compose file, and parses
// the Dockerfile. It is a module of its own, so that the product does not depend on Helm
// and Kubernetes. `task packages` runs it.
package check
