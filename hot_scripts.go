package statelink

import (
	"context"

	"github.com/statelink/statelink/redismanager"
)

// FollowScripts lets this process run what the namespace's script registry has
// in force, as [redismanager.Manager.JoinScriptFleet] describes: a script that is
// pushed for the namespace is taken within about two seconds, and what is in
// force now before FollowScripts returns. An unreachable registry is no error.
// The following ends with stop, or with the manager.
//
// The executor reads the replies of its scripts as it always did: a body that is
// pushed must take the same keys and arguments and answer in the same form.
//
// Errors are ErrInvalidArgument, ErrClosed, and ErrScriptUpdatesOff for a
// manager made with [redismanager.WithoutScriptUpdates].
func (e *Executor) FollowScripts(ctx context.Context, namespace string) (stop func(), err error) {
	if err := checkNamespace(namespace); err != nil {
		return nil, err
	}
	leave, err := e.manager.JoinScriptFleet(ctx, redismanager.ScriptFleet{Key: e.keys.Scripts(namespace)})
	if err != nil {
		return nil, about(err, "follow the scripts of namespace %s", namespace)
	}
	return func() { _ = leave() }, nil // a process that could not say so is soon forgotten
}

// PushScript puts a new body of a script into force for every process that
// follows the namespace: see [redismanager.Manager.PushScript].
func (e *Executor) PushScript(ctx context.Context, namespace string, push redismanager.ScriptPush) (redismanager.FleetChange, error) {
	if err := checkNamespace(namespace); err != nil {
		return redismanager.FleetChange{}, err
	}
	change, err := e.manager.PushScript(ctx, e.keys.Scripts(namespace), push)
	return change, about(err, "push script %s to namespace %s", quote(push.Name), namespace)
}

// RollbackScript puts an older version of a script into force for every process
// that follows the namespace: see [redismanager.Manager.RollbackFleetScript].
func (e *Executor) RollbackScript(ctx context.Context, namespace string, back redismanager.FleetRollback) (redismanager.FleetChange, error) {
	if err := checkNamespace(namespace); err != nil {
		return redismanager.FleetChange{}, err
	}
	change, err := e.manager.RollbackFleetScript(ctx, e.keys.Scripts(namespace), back)
	return change, about(err, "roll back script %s of namespace %s", quote(back.Name), namespace)
}

// FleetScripts says what the namespace's script registry holds and which process
// runs which version.
func (e *Executor) FleetScripts(ctx context.Context, namespace string) (redismanager.FleetState, error) {
	if err := checkNamespace(namespace); err != nil {
		return redismanager.FleetState{}, err
	}
	state, err := e.manager.FleetScripts(ctx, e.keys.Scripts(namespace))
	return state, about(err, "read the scripts of namespace %s", namespace)
}
