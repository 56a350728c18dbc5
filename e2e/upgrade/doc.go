// Package upgrade runs the version before this one beside this one, in both
// directions: what docs/stability.md promises of an upgrade and of a downgrade.
package upgrade
