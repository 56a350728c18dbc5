// Package packages tests the deb and rpm packages as an operator meets them: built by
// scripts/release, installed into a Debian in a folder of its own, upgraded, removed and
// purged. It needs root, debootstrap, rpm and systemd-analyze, and minutes: `task packages`
// runs it, with the build tag long.
package packages
