"""The demo page itself, in Gradio: what stands where, and what happens on a click."""

from __future__ import annotations

import html
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr  # pyright: ignore[reportMissingImports]  # an extra
import numpy as np
from starlette.middleware import Middleware  # pyright: ignore[reportMissingImports]

from gantrans.errors import GantransError

if TYPE_CHECKING:
    from gantrans.inference.demo import Demo

# The browser itself keeps the page from asking anyone else for anything.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; frame-ancestors 'none'; "
    "form-action 'self'"
)
WAYS = {"to_target": "source to target", "to_source": "target to source"}
PAINT = "rgba(255, 64, 64, 0.7)"
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
CSS = """
.gradio-container { width: 100% !important; max-width: 1180px !important; margin: auto; }
.gradio-container main { width: 100%; }
.said { min-height: 1.6em; } .said.wrong { color: #b4452f; font-weight: 600; }
"""


def build(demo: Demo) -> gr.Blocks:
    """The page for the model in `demo`."""
    with gr.Blocks(title="gantrans", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(_headline(demo))
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                photo = gr.File(label="Photo: drop it here, or click", type="filepath", height=150)
                way = gr.Radio([(WAYS[w], w) for w in demo.ways], value=demo.ways[0], label="Direction",
                               visible=len(demo.ways) > 1)  # fmt: skip
                style = gr.File(label="Style picture", type="filepath", height=150, visible=demo.takes_style)
                mask = gr.File(label="Mask file, instead of painting (0 untouched, to 255 covered)",
                               type="filepath", height=120, visible=demo.takes_mask)  # fmt: skip
                button = gr.Button("Translate", variant="primary")
                download = gr.DownloadButton("Download the result, full size", interactive=False)
                said = gr.HTML(_said(""))
            with gr.Column(scale=3, min_width=400):
                painted = gr.ImageEditor(
                    label="Paint over what is covered", type="numpy", sources=(), transforms=(), layers=False,
                    brush=gr.Brush(default_size=12, colors=[PAINT], color_mode="fixed"), buttons=[],
                    visible=demo.takes_mask,
                )  # fmt: skip
                slider = gr.ImageSlider(label="Source | result", format="png", interactive=False,
                                        max_height=720, buttons=["fullscreen"])  # fmt: skip

        def go(*given: Any) -> tuple[Any, Any, str]:
            return answer(demo, *given)

        wanted, results = [photo, way, style, mask, painted], [slider, download, said]
        button.click(go, wanted, results, concurrency_limit=1, api_visibility="private")
        if demo.takes_mask:
            photo.change(lambda path: canvas(demo, path), photo, [painted, said], api_visibility="private")
        elif not demo.takes_style:
            photo.upload(go, wanted, results, concurrency_limit=1, api_visibility="private")
    return page


def launch(page: gr.Blocks, host: str, port: int, folder: str, *, browser: bool) -> None:
    """Serve the page to this machine, without a link for others, and return."""
    page.queue(default_concurrency_limit=1).launch(
        server_name=host, server_port=port, inbrowser=browser, prevent_thread_lock=True, quiet=True,
        share=False, enable_monitoring=False, ssr_mode=False, pwa=False, mcp_server=False, footer_links=[],
        theme=gr.themes.Base(**FONTS), css=CSS, allowed_paths=[folder], show_error=True,
        max_file_size="300mb", app_kwargs={"middleware": [Middleware(_Closed)]},
    )  # fmt: skip


def answer(
    demo: Demo,
    photo: str | None,
    way: str,
    style: str | None,
    mask: str | None,
    painted: dict[str, Any] | None,
) -> tuple[tuple[np.ndarray, np.ndarray] | None, Any, str]:
    """What a click gives: the two pictures, the file to download, and a line of words, errors too."""
    nothing = gr.DownloadButton(value=None, interactive=False)
    if not photo:
        return None, nothing, _said("Choose a photo first.", wrong=True)
    try:
        covered = Path(mask) if mask else strokes(painted)
        shown = demo.translate(Path(photo), way, style=Path(style) if style else None, mask=covered)
    except GantransError as error:
        return None, nothing, _said(_named(str(error), photo, style, mask), wrong=True)
    except Exception as error:  # the page goes on; whoever started it sees where
        traceback.print_exception(error)
        return None, nothing, _said("This is a mistake of gantrans; the terminal says more.", wrong=True)
    return (shown.before, shown.after), gr.DownloadButton(value=str(shown.file), interactive=True), _said(
        _named(shown.about, photo)
    )  # fmt: skip


def canvas(demo: Demo, photo: str | None) -> tuple[dict[str, Any] | None, str]:
    """The photo as something to paint on, and a line of words."""
    if not photo:
        return None, _said("")
    try:
        seen = demo.preview(Path(photo))
    except GantransError as error:
        return None, _said(_named(str(error), photo), wrong=True)
    return {"background": seen, "layers": [], "composite": seen}, _said("Paint over what is covered.")


def strokes(painted: dict[str, Any] | None) -> np.ndarray | None:
    """Where anything was painted, (H, W) uint8 of 0 and 255; None where nothing was."""
    layers = [np.asarray(layer) for layer in (painted or {}).get("layers", [])]
    if not layers:
        return None
    covered = np.any(
        [layer[..., 3] > 0 for layer in layers if layer.ndim == 3 and layer.shape[2] == 4], axis=0
    )
    return covered.astype(np.uint8) * np.uint8(255) if np.any(covered) else None


def _headline(demo: Demo) -> str:
    card = demo.card
    larger = f", {card.scale} times larger" if card.scale > 1 else ""
    task = html.escape(card.task or "a model of yours")
    return (
        f"# {task}\n{card.source_mode} to {card.target_mode}{larger}. Photos of up to {demo.longest} pixels "
        "on the long side, 8 or 16 bits; the result keeps size and depth. Nothing leaves this machine."
    )


def _said(text: str, *, wrong: bool = False) -> str:
    return f'<p class="said{" wrong" if wrong else ""}" role="status">{html.escape(text)}</p>'


def _named(text: str, *paths: str | None) -> str:
    """Files by their names: where the page keeps them says nothing."""
    for path in paths:
        text = text.replace(str(path), Path(path).name) if path else text
    return text


class _Closed:
    """Adds POLICY to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def closed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", POLICY.encode()),
                ]
            await send(message)

        await self.app(scope, receive, closed)
