{{- define "valkeybatch.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "valkeybatch.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "valkeybatch.labels" -}}
{{ include "valkeybatch.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "valkeybatch.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "valkeybatch.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- /* Nine tenths of the memory limit: what is left is for what Go does not count. */ -}}
{{- define "valkeybatch.memoryLimit" -}}
{{- $limit := .Values.resources.limits.memory -}}
{{- $mi := ternary (mul 1024 (trimSuffix "Gi" $limit | int64)) (trimSuffix "Mi" $limit | int64) (hasSuffix "Gi" $limit) -}}
{{- div (mul $mi 9) 10 }}MiB
{{- end }}

{{- /* The server's configuration: further settings, and those that the chart knows of. */ -}}
{{- define "valkeybatch.config" -}}
{{- $c := deepCopy .Values.config -}}
{{- $_ := set $c "listen" (list "0.0.0.0:7400") -}}
{{- $_ := set $c "valkey" .Values.valkey.addresses -}}
{{- $_ := set $c "drain-delay" (printf "%ds" (int .Values.drain.delaySeconds)) -}}
{{- $_ := set $c "drain-timeout" (printf "%ds" (int .Values.drain.timeoutSeconds)) -}}
{{- if .Values.admin.enabled }}{{ $_ := set $c "admin-listen" "0.0.0.0:7401" }}{{ end -}}
{{- with .Values.valkey.username }}{{ $_ := set $c "valkey-username" . }}{{ end -}}
{{- if .Values.valkey.passwordSecret.name }}{{ $_ := set $c "valkey-password-file" (printf "/etc/valkeybatch/password/%s" .Values.valkey.passwordSecret.key) }}{{ end -}}
{{- if .Values.http.enabled }}{{ $_ := set $c "http-listen" (list (printf "0.0.0.0:%d" (int .Values.http.port))) }}{{ end -}}
{{- with .Values.valkey.tls }}
{{- if .enabled }}{{ $_ := set $c "valkey-tls" true }}{{ end -}}
{{- if .caSecret }}{{ $_ := set $c "valkey-tls-ca" "/etc/valkeybatch/valkey-ca/ca.crt" }}{{ end -}}
{{- if .clientSecret }}{{ $_ := set $c "valkey-tls-cert" "/etc/valkeybatch/valkey-client/tls.crt" }}{{ $_ := set $c "valkey-tls-key" "/etc/valkeybatch/valkey-client/tls.key" }}{{ end -}}
{{- with .serverName }}{{ $_ := set $c "valkey-tls-server-name" . }}{{ end -}}
{{- end -}}
{{- if .Values.tls.secret }}{{ $_ := set $c "tls-cert" "/etc/valkeybatch/tls/tls.crt" }}{{ $_ := set $c "tls-key" "/etc/valkeybatch/tls/tls.key" }}{{ end -}}
{{- if .Values.tls.clientCASecret }}{{ $_ := set $c "tls-client-ca" "/etc/valkeybatch/client-ca/ca.crt" }}{{ end -}}
{{- if .Values.auth.secret.name }}{{ $_ := set $c "auth-file" (printf "/etc/valkeybatch/auth/%s" .Values.auth.secret.key) }}{{ end -}}
{{- toYaml $c }}
{{- end }}

{{- /* Whether health needs no caller's identity: then, and only then, it says so. */ -}}
{{- define "valkeybatch.healthIsOpen" -}}
{{- if not .Values.auth.secret.name }}true
{{- else if not (hasKey .Values.config "auth-open") }}true
{{- else }}
{{- $open := index .Values.config "auth-open" -}}
{{- if kindIs "slice" $open }}{{ $open = join "," $open }}{{ end -}}
{{- range splitList "," (toString $open) }}{{ if eq (trim .) "health" }}true{{ end }}{{ end -}}
{{- end }}
{{- end }}

{{- /* Secrets that are mounted: name of the directory to name of the Secret. */ -}}
{{- define "valkeybatch.secrets" -}}
{{- $s := dict -}}
{{- with .Values.valkey.passwordSecret.name }}{{ $_ := set $s "password" . }}{{ end -}}
{{- with .Values.valkey.tls.caSecret }}{{ $_ := set $s "valkey-ca" . }}{{ end -}}
{{- with .Values.valkey.tls.clientSecret }}{{ $_ := set $s "valkey-client" . }}{{ end -}}
{{- with .Values.tls.secret }}{{ $_ := set $s "tls" . }}{{ end -}}
{{- with .Values.tls.clientCASecret }}{{ $_ := set $s "client-ca" . }}{{ end -}}
{{- with .Values.auth.secret.name }}{{ $_ := set $s "auth" . }}{{ end -}}
{{- toJson $s }}
{{- end }}
