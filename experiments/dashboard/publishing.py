"""Workspaces and reports as JSON, and on their way to W&B."""

from __future__ import annotations

from typing import Any, NamedTuple

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from datamodules.errors import RunFailed, UserError

JSON = dict[str, Any]


class Links(NamedTuple):
    """Where what was published is seen.

    Attributes:
        workspace: The workspace's address.
        report: The report's address.
    """

    workspace: str
    report: str


def spec_of(workspace: ws.Workspace, report: wr.Report) -> JSON:
    """What wandb-workspaces would send: what each is, where it belongs, and its spec.

    Args:
        workspace: The workspace.
        report: The report.
    """
    view, page = workspace._to_model(), report._to_model()
    return {
        "workspace": _sent("project-view", workspace.entity, workspace.project, view.display_name, view.spec),
        "report": _sent("runs", report.entity, report.project, page.display_name, page.spec),
    }


def default_entity() -> str:
    """The user or team that W&B takes where none is named.

    Raises:
        UserError: W&B names none.
        RunFailed: It does not answer.
    """
    try:
        found = wandb.Api().default_entity
    except Exception as error:  # W&B has no common class for what goes wrong
        raise _failed(error) from error
    if not found:
        raise UserError("W&B names no entity for this account: give --entity")
    return str(found)


def publish(workspace: ws.Workspace, report: wr.Report) -> Links:
    """Saves both in W&B.

    Args:
        workspace: The workspace.
        report: The report.

    Raises:
        RunFailed: W&B does not take them.
    """
    try:
        report.save()
        workspace.save()
        return Links(workspace.url, report.url)
    except Exception as error:  # W&B has no common class for what goes wrong
        raise _failed(error) from error


def _sent(kind: str, entity: str, project: str, title: str, spec: Any) -> JSON:  # noqa: ANN401 - any of two models
    return {
        "type": kind,
        "entityName": entity,
        "projectName": project,
        "displayName": title,
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _failed(error: Exception) -> RunFailed:
    return RunFailed(f"W&B does not take the dashboard: {' '.join(str(error).split()) or type(error).__name__}")
