/** The page as it stands, as a PNG: canvases and words are drawn where they are. */

/** @returns {Promise<Blob>} */
export async function takeScreenshot(root = document.body) {
  const { width, height } = root.getBoundingClientRect();
  const ratio = Math.max(1, Math.min(devicePixelRatio, 2));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  context.translate(-root.getBoundingClientRect().left, -root.getBoundingClientRect().top);
  drawElement(context, root);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

function drawElement(context, element) {
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (style.display === 'none' || style.visibility === 'hidden' || box.width === 0) return;
  context.globalAlpha = Number(style.opacity);
  context.fillStyle = style.backgroundColor;
  context.beginPath();
  context.roundRect(box.left, box.top, box.width, box.height, parseFloat(style.borderTopLeftRadius) || 0);
  context.fill();
  if (parseFloat(style.borderTopWidth) > 0) {
    context.strokeStyle = style.borderTopColor;
    context.stroke();
  }
  if (element instanceof HTMLCanvasElement) return drawCanvas(context, element, style, box);
  if (element instanceof HTMLSelectElement) {
    return drawWord(context, element.selectedOptions[0]?.textContent ?? '', style, box, parseFloat(style.paddingLeft));
  }
  context.save();
  if (style.overflow !== 'visible') context.clip();
  for (const node of element.childNodes) {
    if (node instanceof Text) drawText(context, node, style);
    else if (node instanceof Element) drawElement(context, node);
  }
  context.restore();
}

function drawCanvas(context, canvas, style, box) {
  if (canvas.width === 0 || canvas.height === 0) return;
  const fit = style.objectFit === 'contain' ? Math.min(box.width / canvas.width, box.height / canvas.height) : 0;
  const [width, height] = fit ? [canvas.width * fit, canvas.height * fit] : [box.width, box.height];
  context.drawImage(canvas, box.left + (box.width - width) / 2, box.top + (box.height - height) / 2, width, height);
}

/** Word by word, so that lines break where they do on the page. */
function drawText(context, node, style) {
  const range = document.createRange();
  for (const { index, 0: word } of node.data.matchAll(/\S+/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    drawWord(context, word, style, range.getBoundingClientRect(), 0);
  }
}

function drawWord(context, word, style, box, indent) {
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textBaseline = 'middle';
  context.fillText(word, box.left + indent, box.top + box.height / 2);
}
