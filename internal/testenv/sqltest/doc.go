// Package sqltest gives tests real databases: PostgreSQL and MariaDB servers,
// one of each per test binary, started at the first use, on unix sockets in
// temporary folders, as an unprivileged user when the tests run as root; and
// SQLite files. Every call makes a database of its own. What a machine lacks is
// a failed test that says what to install, never a skipped one.
//
// A TestMain must wrap its tests with Main, which stops the servers and removes
// their folders. When the test binary dies before that, the kernel kills the
// servers (on Linux), and the folders stay.
//
// Not promised: durability. Nothing is synced to disk, so that tests are fast;
// a server that is killed has lost nothing, a machine that loses power has.
package sqltest
