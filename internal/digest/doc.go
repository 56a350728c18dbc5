// Package digest makes short digests of rows, so that an owner and a replica find the
// rows in which they differ without sending each other all rows.
//
// The owner has a row as JSON, and the replica has the values of its columns. Both are
// brought into a normal form first, which depends on the column's type: see [Form]. A
// row's hash covers its key and the normal forms of its columns. The keys are spread over
// buckets by their hash, and a bucket's sum is the sum of the hashes of its rows. So the
// sum does not depend on the order in which the rows are read: the databases at both ends
// may sort keys by other rules.
//
// What is promised: equal rows have equal hashes, on every machine and in every version
// that takes the same forms. What is not promised: rows that differ have the same hash
// with a probability of one in 2^64.
package digest
