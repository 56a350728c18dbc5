// Package rewind decides where the workers of a lane start again, and how their consumers
// are created there. Package lane performs the decisions.
//
// A rewind moves workers back, never forward: unacknowledged copies stay due. It deletes
// consumers and creates them at another place. The place is first recorded in the lane's
// state. A consumer that is missing later, since the rewind was cut short or somebody
// deleted it, is then created at exactly that place, by the hub that notices.
//
// Plan and Finish return one Step at a time. The driver performs the step and calls its
// Then. A step that fails ends the operation: a rewind that is recorded is finished later.
package rewind
