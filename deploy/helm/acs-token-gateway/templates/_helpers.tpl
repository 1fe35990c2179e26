{{- define "gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "gateway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "gateway.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "gateway.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "gateway.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "gateway.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The most gateways that there will be. */}}
{{- define "gateway.replicas" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}

{{/* Values that are fine alone and wrong together. */}}
{{- define "gateway.check" -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add .Values.drainDelaySeconds 31 | int) }}
{{- fail "terminationGracePeriodSeconds must exceed drainDelaySeconds by more than 30 seconds: 20 in which a gateway finishes what is in flight, and 10 for the rest." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) }}
{{- fail "autoscaling.maxReplicas must not be less than autoscaling.minReplicas." }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.port) }}
{{- fail "metrics.serviceMonitor needs metrics.port: a ServiceMonitor cannot send the header x-api-key." }}
{{- end }}
{{- if and .Values.workloadIdentity.enabled (has "ACS_CONNECTION_STRING" .Values.secretVariables) }}
{{- fail "With workloadIdentity leave ACS_CONNECTION_STRING out of secretVariables, and set config.ACS_ENDPOINT." }}
{{- end }}
{{- if and .Values.embeddedDirectory.existingClaim (or .Values.autoscaling.enabled (ne (int .Values.replicaCount) 1)) }}
{{- fail "embeddedDirectory is for one gateway: set autoscaling.enabled to false and replicaCount to 1." }}
{{- end }}
{{- if and .Values.embeddedDirectory.existingClaim (has "DATABASE_URL" .Values.secretVariables) }}
{{- fail "With embeddedDirectory leave DATABASE_URL out of secretVariables." }}
{{- end }}
{{- end }}
