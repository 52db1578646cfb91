package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bounds on metadata.
const (
	metaMaxPairs       = 64
	metaKeyMaxLength   = 128
	metaValueMaxLength = 512
)

// ValidStatus says whether s is a state that a check can be in.
func ValidStatus(s string) bool {
	return s == HealthPassing || s == HealthWarning || s == HealthCritical
}

// ValidateNodeMeta checks the metadata of a node. Keys that start with
// MetaKeyReservedPrefix are for the agent itself, which sets reserved.
func ValidateNodeMeta(meta map[string]string, reserved bool) error {
	return validateMeta(meta, func(string) bool { return reserved })
}

// ValidateServiceMeta checks the metadata of a service.
func ValidateServiceMeta(kind ServiceKind, meta map[string]string) error {
	return validateMeta(meta, func(key string) bool {
		return kind == ServiceKindMeshGateway && key == MetaWANFederationKey
	})
}

func validateMeta(meta map[string]string, reserved func(key string) bool) error {
	if len(meta) > metaMaxPairs {
		return fmt.Errorf("Node metadata cannot contain more than %d key/value pairs", metaMaxPairs)
	}
	for _, k := range slices.Sorted(maps.Keys(meta)) { // the same fault every time
		v := meta[k]
		if why := metaPairFault(k, v, reserved); why != "" {
			return fmt.Errorf("Couldn't load metadata pair ('%s', '%s'): %s", k, v, why)
		}
	}
	return nil
}

func metaPairFault(key, value string, reserved func(key string) bool) string {
	switch {
	case key == "":
		return "Key cannot be blank"
	case strings.ContainsFunc(key, notMetaKey):
		return "Key contains invalid characters"
	case len(key) > metaKeyMaxLength:
		return fmt.Sprintf("Key is too long (limit: %d characters)", metaKeyMaxLength)
	case strings.HasPrefix(key, MetaKeyReservedPrefix) && !reserved(key):
		return fmt.Sprintf("Key prefix '%s' is reserved for internal use", MetaKeyReservedPrefix)
	case len(value) > metaValueMaxLength:
		return fmt.Sprintf("Value is too long (limit: %d characters)", metaValueMaxLength)
	default:
		return ""
	}
}

func notMetaKey(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// SatisfiesMeta says whether metadata has all of the filters.
func SatisfiesMeta(meta, filters map[string]string) bool {
	for k, v := range filters {
		if have, ok := meta[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// ValidateWeights checks the DNS weights of a service; nil is well.
func ValidateWeights(w *Weights) error {
	switch {
	case w == nil:
		return nil
	case w.Passing < 1:
		return fmt.Errorf("Passing must be greater than 0")
	case w.Warning < 0:
		return fmt.Errorf("Warning must be greater or equal than 0")
	case w.Passing > 65535 || w.Warning > 65535:
		return fmt.Errorf("DNS Weight must be between 0 and 65535")
	default:
		return nil
	}
}
