// Package view makes the pages' contents from the contract's replies: what a page says of
// a reply, and nothing of HTTP. All of it is pure, so that tables can test it.
//
// Overview and Lane are made of replhub.services and replhub.describe, Groups of dead
// letters' headers, Fates of replhub.explain, Trial of events and a filter.
package view
