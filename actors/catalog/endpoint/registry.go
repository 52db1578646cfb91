package endpoint

// Methods lists every method, in the order of the documentation.
var Methods = []Method{
	&ListNodes, &ListServices, &ServiceList, &ServiceNodes, &NodeServices, &NodeServiceList, &GatewayServices,
	&Register, &Deregister,
	&ChecksInState, &NodeChecks, &ServiceChecks, &HealthServiceNodes,
	&KVGet, &KVList, &KVListKeys, &KVApply,
	&SessionGet, &SessionList, &NodeSessions, &SessionApply,
	&PreparedQueryGet, &PreparedQueryList, &PreparedQueryApply,
	&CoordinateListNodes, &CoordinateNode,
	&AutopilotGetConfiguration, &AutopilotSetConfiguration, &OperatorUsage,
	&NodeInfo, &NodeDump, &ServiceDump,
	&TxnRead, &TxnApply,
	&ConfigEntryGet, &ConfigEntryList, &ConfigEntryApply, &ConfigEntryDelete,
	&ConnectCARoots, &ConnectCAConfigurationGet, &ConnectCASign,
	&ReplicaSnapshot, &ReplicaChanges,
}

var byName = func() map[string]Method {
	m := make(map[string]Method, len(Methods))
	for _, method := range Methods {
		m[method.Name()] = method
	}
	return m
}()

// Lookup returns the method of that name, a ReadMethod or a WriteMethod.
func Lookup(name string) (Method, bool) {
	m, ok := byName[name]
	return m, ok
}
