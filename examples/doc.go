// Package examples holds programs to read and to run:
//
//   - publisher and subscriber are the smallest complete ones, shown in docs/guide.md.
//
//   - user-profile, sharing and application are the story: a service that owns
//     users, and two that keep the fields that they need. One of the two publishes in
//     turn, the other comes late and begins with the owner's rows.
//
//   - run starts the three together on "replhub dev", and shows who got what:
//
//     go run ./examples/run
//
// Each connects to NATS_URL, or to "replhub dev" on this machine, and keeps its
// rows in a SQLite file. On PostgreSQL the dialect and the driver change, and
// nothing else: user-profile shows it, with DATABASE_URL.
package examples
