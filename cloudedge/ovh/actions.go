package ovh

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// operations are the IAM action that each operation of the API needs, as OVH's own schemas say it (x-iam-actions); of
// export and dnssec, which the schemas of this module's tests lack, as OVH's reference of actions names them; and of
// tags, as it names them for a resource that is a zone.
//
//go:embed actions.json
var operationsJSON []byte

var operations = sync.OnceValue(func() map[string]string {
	var all map[string]string
	if err := json.Unmarshal(operationsJSON, &all); err != nil {
		panic("actions.json: " + err.Error())
	}
	return all
})

// purposes are the operations that each purpose needs.
var purposes = map[string][]string{
	// what a plan with zones does; see zone.go
	"zone-records": {
		"GET /v1/domain/zone/{zoneName}",
		"GET /v1/domain/zone/{zoneName}/export",
		"GET /v1/domain/zone/{zoneName}/record",
		"GET /v1/domain/zone/{zoneName}/record/{id}",
		"POST /v1/domain/zone/{zoneName}/record",
		"PUT /v1/domain/zone/{zoneName}/record/{id}",
		"DELETE /v1/domain/zone/{zoneName}/record/{id}",
		"POST /v1/domain/zone/{zoneName}/refresh",
		"POST /v2/iam/resource/{resourceURN}/tag",
		"DELETE /v2/iam/resource/{resourceURN}/tag/{key}",
	},
	// what a plan with delegations does, without removing DS records; see delegation.go
	"delegation": {
		"GET /v1/domain/{serviceName}",
		"PUT /v1/domain/{serviceName}",
		"GET /v1/domain/{serviceName}/nameServer",
		"GET /v1/domain/{serviceName}/nameServer/{id}",
		"POST /v1/domain/{serviceName}/nameServers/update",
		"GET /v1/domain/{serviceName}/dsRecord",
		"GET /v1/domain/{serviceName}/task/{id}",
		"GET /v1/domain/zone/{zoneName}",
		"GET /v1/domain/zone/{zoneName}/export",
	},
	// what a plan with removeDS does beside that
	"remove-ds": {
		"GET /v1/domain/{serviceName}",
		"GET /v1/domain/{serviceName}/dsRecord",
		"POST /v1/domain/{serviceName}/dsRecord",
		"GET /v1/domain/{serviceName}/task/{id}",
		"GET /v1/domain/zone/{zoneName}",
		"DELETE /v1/domain/zone/{zoneName}/dnssec",
	},
}

// Purposes returns what the purposes of a [Policy] may be: "zone-records" for its zones as [Spec].Zones changes them,
// "delegation" for its domains and zones as [Spec].Delegations does, and "remove-ds" for [Delegation].RemoveDS.
func Purposes() []string { return slices.Sorted(maps.Keys(purposes)) }

// Actions returns the IAM actions that the purposes need, and no others, sorted. A purpose that is not one has none.
func Actions(of ...string) []string {
	var all []string
	for _, p := range of {
		for _, op := range purposes[p] {
			all = append(all, operations()[op])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
