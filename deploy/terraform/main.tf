# What the portal may do at AWS, and as whom. In the portal's own account: module with `trusted_services` or
# `oidc_provider_arn`; in every other account whose workspaces it serves: with `portal_role_arn` and `external_id`.
# The access file then names role_arn and external_id of that account's connection (docs/ACCESS.md).

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }
}

variable "name" {
  description = "Name of the role and its policy."
  type        = string
  default     = "grafana-token-portal"
}

variable "workspace_arns" {
  description = "Workspaces that the portal serves; by default all of this account, in every region."
  type        = list(string)
  default     = []
}

variable "trusted_services" {
  description = "Services whose hosts run the portal, such as ec2.amazonaws.com or ecs-tasks.amazonaws.com."
  type        = list(string)
  default     = []
}

variable "oidc_provider_arn" {
  description = "The EKS cluster's OpenID provider, where the portal runs as its service account."
  type        = string
  default     = ""
}

variable "oidc_subject" {
  description = "The service account that may take the role."
  type        = string
  default     = "system:serviceaccount:portal:portal"
}

variable "portal_role_arn" {
  description = "In another account: the portal's own role, which may take this one."
  type        = string
  default     = ""
}

variable "external_id" {
  description = "In another account: the external_id that the access file names for it."
  type        = string
  default     = ""
}

variable "other_accounts_role_arns" {
  description = "In the portal's own account: roles of other accounts that it may take."
  type        = list(string)
  default     = []
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  # Mind the slash before "workspaces".
  all_workspaces = ["arn:${data.aws_partition.this.partition}:grafana:*:${data.aws_caller_identity.this.account_id}:/workspaces/*"]
  workspaces     = length(var.workspace_arns) > 0 ? var.workspace_arns : local.all_workspaces
  oidc_issuer    = var.oidc_provider_arn == "" ? "" : split("oidc-provider/", var.oidc_provider_arn)[1]
}

data "aws_iam_policy_document" "grafana" {
  statement {
    sid       = "ListWorkspaces"
    actions   = ["grafana:ListWorkspaces"]
    resources = ["*"] # it knows no other
  }

  statement {
    sid = "Tokens"
    actions = [
      "grafana:DescribeWorkspace",
      "grafana:ListWorkspaceServiceAccounts",
      "grafana:ListWorkspaceServiceAccountTokens",
      "grafana:CreateWorkspaceServiceAccountToken",
      "grafana:DeleteWorkspaceServiceAccountToken",
    ]
    resources = local.workspaces
  }

  dynamic "statement" {
    for_each = length(var.other_accounts_role_arns) > 0 ? [1] : []
    content {
      sid       = "OtherAccounts"
      actions   = ["sts:AssumeRole"]
      resources = var.other_accounts_role_arns
    }
  }
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = length(var.trusted_services) > 0 ? [1] : []
    content {
      actions = ["sts:AssumeRole"]
      principals {
        type        = "Service"
        identifiers = var.trusted_services
      }
    }
  }

  dynamic "statement" {
    for_each = var.oidc_provider_arn != "" ? [1] : []
    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [var.oidc_provider_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.oidc_issuer}:sub"
        values   = [var.oidc_subject]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.oidc_issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.portal_role_arn != "" ? [1] : []
    content {
      actions = ["sts:AssumeRole"]
      principals {
        type        = "AWS"
        identifiers = [var.portal_role_arn]
      }
      # Without it, whoever may name a role to the portal could name somebody else's.
      condition {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [var.external_id]
      }
    }
  }
}

resource "aws_iam_role" "portal" {
  name                 = var.name
  description          = "The portal that issues Amazon Managed Grafana service-account tokens."
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600

  lifecycle {
    precondition {
      condition     = var.portal_role_arn == "" || length(var.external_id) >= 16
      error_message = "Another account's role needs an external_id of 16 or more characters."
    }
    precondition {
      condition     = length(var.trusted_services) + length(var.oidc_provider_arn) + length(var.portal_role_arn) > 0
      error_message = "Say who may take the role: trusted_services, oidc_provider_arn or portal_role_arn."
    }
  }
}

resource "aws_iam_role_policy" "portal" {
  name   = var.name
  role   = aws_iam_role.portal.id
  policy = data.aws_iam_policy_document.grafana.json
}

output "role_arn" {
  description = "For the access file's role_arn, the service account's annotation, or the task definition."
  value       = aws_iam_role.portal.arn
}
