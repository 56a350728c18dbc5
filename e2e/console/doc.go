// Package console tests the hub's web pages in a real Chromium, against the real binary:
// every page, light and dark, wide and narrow, with axe-core's rules for accessibility;
// every action; and a hub that is killed while a page is open.
//
// With REPLHUB_PICTURES, the name of a folder, the tests write pictures of the pages there.
package console
