// Package reliability holds the library against faults of real servers: masters
// that are killed, stopped and replaced, replies that are lost, slots that move.
// Its tests assert bounds, and run plain go-redis beside the library where that
// shows the fault.
//
// What is not a test here is what all of them share: the load ([Load]), a caller
// who knows what the answer may be ([Links]), and the figures ([Report]).
package reliability
