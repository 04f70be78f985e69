// Package tracing makes OpenTelemetry spans of what an executor and its manager
// do, with the semantic conventions for Redis clients (version 1.43).
//
//	remove := tracing.Instrument(executor)
//	defer remove()
//
// Each operation of the executor is a span of kind client, named after the
// operation, such as try_set_linked_pod. What it asks of Redis are events of
// that span, named redis.call. A call that belongs to no operation, such as a
// script of one's own, is a span by itself: EVALSHA and the script's name.
//
// On an operation's span:
//
//	db.system.name            redis
//	db.operation.name         name of the operation
//	db.namespace              number of the database
//	db.operation.batch.size   elements of a batch, if not one
//	server.address, server.port   the node that answered, if it is known and only one
//	error.type                class of the error, see statelink.Classify; absent if none
//	statelink.namespace, statelink.service, statelink.pod   what the operation is about, if given
//	statelink.uid             only with WithUserIDs
//
// On the event or span of a call:
//
//	db.operation.name         command: EVALSHA, GET, PIPELINE GET
//	db.stored_procedure.name  name of the script; source for Lua given in the call
//	statelink.script.version  version of the script
//	statelink.call.tries      times it was tried, if more than once
//	statelink.call.repairs    times a node lacked the script and was given it, if any
//	statelink.call.duration   seconds, on the event only
//	server.address, server.port, error.type   as above
//
// Keys, arguments, statements and the texts of errors are never recorded: they
// hold users and data. The package changes nothing that is global.
package tracing
