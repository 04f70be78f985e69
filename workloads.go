package statelink

import "context"

func (e *Executor) workloadKey(namespace, serviceName string) (string, error) {
	if err := firstError(checkNamespace(namespace), checkService(serviceName)); err != nil {
		return "", err
	}
	return e.keys.Workload(namespace, serviceName), nil
}

// SetWorkloadState stores one word for the whole service: 1 to 1,024 bytes of
// UTF-8 without control characters.
func (e *Executor) SetWorkloadState(ctx context.Context, namespace, serviceName, state string) (err error) {
	ctx, op := e.begin(ctx, Op{Name: "set_workload_state", Namespace: namespace, Service: serviceName, Pod: NoPod, Changes: true})
	defer op.end(&err)
	key, err := e.workloadKey(namespace, serviceName)
	if err = firstError(err, checkWorkload(state)); err != nil {
		return err
	}
	_, err = e.manager.WriteAcked(ctx, e.scripts.acks, "set", key, state)
	return about(err, "set workload state of service %s", serviceName)
}

// GetWorkloadState gives the word of a service, "" if there is none.
func (e *Executor) GetWorkloadState(ctx context.Context, namespace, serviceName string) (state string, err error) {
	ctx, op := e.begin(ctx, Op{Name: "get_workload_state", Namespace: namespace, Service: serviceName, Pod: NoPod})
	defer op.end(&err)
	key, err := e.workloadKey(namespace, serviceName)
	if err != nil {
		return "", err
	}
	value, err := e.manager.Read(ctx, "get", key)
	state, _ = value.(string)
	return state, about(err, "get workload state of service %s", serviceName)
}

// GetWorkloadStateBatch gives the words of many services, in pipelines grouped
// by node; services without one are left out. There is no partial result.
func (e *Executor) GetWorkloadStateBatch(ctx context.Context, namespace string, serviceNames []string) (states map[string]string, err error) {
	ctx, op := e.begin(ctx, Op{Name: "get_workload_state_batch", Namespace: namespace, Pod: NoPod, Items: len(serviceNames)})
	defer op.end(&err)
	keys := make([]string, len(serviceNames))
	for i, name := range serviceNames {
		key, err := e.workloadKey(namespace, name)
		if err != nil {
			return nil, about(err, "serviceNames[%d]", i)
		}
		keys[i] = key
	}
	values, err := e.manager.GetBatch(ctx, keys)
	if err != nil {
		return nil, about(err, "get workload states of %d services", len(keys))
	}
	states = make(map[string]string, len(keys))
	for i, value := range values {
		if state, ok := value.(string); ok {
			states[serviceNames[i]] = state
		}
	}
	return states, nil
}
