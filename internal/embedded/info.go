package embedded

import (
	"fmt"
	"strings"
	"time"
)

// info is the reply to INFO: the few fields that are true of the store, under Valkey's names.
func (s *Store) info(sections []string) string {
	all := []struct{ name, text string }{
		{"Server", fmt.Sprintf("server_name:valkeybatch-embedded\r\nserver_mode:standalone\r\nredis_mode:standalone\r\nuptime_in_seconds:%d\r\n",
			int(time.Since(s.started).Seconds()))},
		{"Clients", fmt.Sprintf("connected_clients:%d\r\n", s.server.ClientsLen())},
		{"Persistence", "loading:0\r\nrdb_changes_since_last_save:0\r\naof_enabled:0\r\n"},
		{"Stats", fmt.Sprintf("total_connections_received:%d\r\ntotal_commands_processed:%d\r\n",
			s.server.TotalConnections(), s.server.TotalCommands())},
		{"Replication", "role:master\r\nconnected_slaves:0\r\n"},
		{"Cluster", "cluster_enabled:0\r\n"},
	}
	wanted := make(map[string]bool, len(sections))
	for _, section := range sections {
		wanted[strings.ToLower(section)] = true
	}
	everything := len(sections) == 0 || wanted["all"] || wanted["default"] || wanted["everything"]
	var parts []string
	for _, section := range all {
		if everything || wanted[strings.ToLower(section.name)] {
			parts = append(parts, "# "+section.name+"\r\n"+section.text)
		}
	}
	return strings.Join(parts, "\r\n")
}
