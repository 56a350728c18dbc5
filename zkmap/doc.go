// Package zkmap
package zkmap
