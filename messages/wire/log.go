package wire

import "strconv"

// MessageType is the first byte of a raft log entry, and of a record in a
// snapshot: it says what follows.
type MessageType uint8

// The types of log entries and snapshot records.
const (
	RegisterRequestType          MessageType = 0
	DeregisterRequestType        MessageType = 1
	KVSRequestType               MessageType = 2
	SessionRequestType           MessageType = 3
	DeprecatedACLRequestType     MessageType = 4 // Consul before 1.4
	TombstoneRequestType         MessageType = 5
	CoordinateBatchUpdateType    MessageType = 6
	PreparedQueryRequestType     MessageType = 7
	TxnRequestType               MessageType = 8
	AutopilotRequestType         MessageType = 9
	AreaRequestType              MessageType = 10
	ACLBootstrapRequestType      MessageType = 11
	IntentionRequestType         MessageType = 12
	ConnectCARequestType         MessageType = 13
	ConnectCAProviderStateType   MessageType = 14
	ConnectCAConfigType          MessageType = 15
	IndexRequestType             MessageType = 16 // in snapshots only
	ACLTokenSetRequestType       MessageType = 17
	ACLTokenDeleteRequestType    MessageType = 18
	ACLPolicySetRequestType      MessageType = 19
	ACLPolicyDeleteRequestType   MessageType = 20
	ConnectCALeafRequestType     MessageType = 21
	ConfigEntryRequestType       MessageType = 22
	ACLRoleSetRequestType        MessageType = 23
	ACLRoleDeleteRequestType     MessageType = 24
	ACLBindingRuleSetRequestType MessageType = 25
	ACLBindingRuleDeleteType     MessageType = 26
	ACLAuthMethodSetRequestType  MessageType = 27
	ACLAuthMethodDeleteType      MessageType = 28
	ChunkingStateType            MessageType = 29
	FederationStateRequestType   MessageType = 30
	SystemMetadataRequestType    MessageType = 31
	ServiceVirtualIPRequestType  MessageType = 32
	FreeVirtualIPRequestType     MessageType = 33
	KindServiceNamesType         MessageType = 34
	PeeringWriteType             MessageType = 35
	PeeringDeleteType            MessageType = 36
	PeeringTerminateByIDType     MessageType = 37
	PeeringTrustBundleWriteType  MessageType = 38
	PeeringTrustBundleDeleteType MessageType = 39
	PeeringSecretsWriteType      MessageType = 40
	RaftLogVerifierCheckpoint    MessageType = 41
	ResourceOperationType        MessageType = 42
	UpdateVirtualIPRequestType   MessageType = 43
)

// IgnoreUnknownTypeFlag is set in the type of an entry that a server which does
// not know it may skip in silence.
const IgnoreUnknownTypeFlag MessageType = 128

var messageTypeNames = map[MessageType]string{
	RegisterRequestType:          "Register",
	DeregisterRequestType:        "Deregister",
	KVSRequestType:               "KVS",
	SessionRequestType:           "Session",
	DeprecatedACLRequestType:     "ACL",
	TombstoneRequestType:         "Tombstone",
	CoordinateBatchUpdateType:    "CoordinateBatchUpdate",
	PreparedQueryRequestType:     "PreparedQuery",
	TxnRequestType:               "Txn",
	AutopilotRequestType:         "Autopilot",
	AreaRequestType:              "Area",
	ACLBootstrapRequestType:      "ACLBootstrap",
	IntentionRequestType:         "Intention",
	ConnectCARequestType:         "ConnectCA",
	ConnectCAProviderStateType:   "ConnectCAProviderState",
	ConnectCAConfigType:          "ConnectCAConfig",
	IndexRequestType:             "Index",
	ACLTokenSetRequestType:       "ACLToken",
	ACLTokenDeleteRequestType:    "ACLTokenDelete",
	ACLPolicySetRequestType:      "ACLPolicy",
	ACLPolicyDeleteRequestType:   "ACLPolicyDelete",
	ConnectCALeafRequestType:     "ConnectCALeaf",
	ConfigEntryRequestType:       "ConfigEntry",
	ACLRoleSetRequestType:        "ACLRole",
	ACLRoleDeleteRequestType:     "ACLRoleDelete",
	ACLBindingRuleSetRequestType: "ACLBindingRule",
	ACLBindingRuleDeleteType:     "ACLBindingRuleDelete",
	ACLAuthMethodSetRequestType:  "ACLAuthMethod",
	ACLAuthMethodDeleteType:      "ACLAuthMethodDelete",
	ChunkingStateType:            "ChunkingState",
	FederationStateRequestType:   "FederationState",
	SystemMetadataRequestType:    "SystemMetadata",
	ServiceVirtualIPRequestType:  "ServiceVirtualIP",
	FreeVirtualIPRequestType:     "FreeVirtualIP",
	KindServiceNamesType:         "KindServiceName",
	PeeringWriteType:             "Peering",
	PeeringDeleteType:            "PeeringDelete",
	PeeringTerminateByIDType:     "PeeringTerminateByID",
	PeeringTrustBundleWriteType:  "PeeringTrustBundle",
	PeeringTrustBundleDeleteType: "PeeringTrustBundleDelete",
	PeeringSecretsWriteType:      "PeeringSecret",
	RaftLogVerifierCheckpoint:    "RaftLogVerifierCheckpoint",
	ResourceOperationType:        "Resource",
	UpdateVirtualIPRequestType:   "UpdateVirtualIP",
}

// String returns the name of the type, without regard to IgnoreUnknownTypeFlag.
func (t MessageType) String() string {
	if name, ok := messageTypeNames[t&^IgnoreUnknownTypeFlag]; ok {
		return name
	}
	return "Unknown(" + strconv.Itoa(int(t)) + ")"
}
