import { createHash } from 'node:crypto'

/** The page's only style sheet; it stands in the page, and the policy names it by its hash. */
export const style = `
*{box-sizing:border-box}
html{color-scheme:light;background:#fff}
body{margin:0;font:1.0625rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:#1b1f24;overflow-wrap:anywhere}
main{max-width:38rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 1.25rem}
h2{font-size:1.1875rem;margin:0 0 .5rem}
p{white-space:pre-line}
nav{margin:0 0 1rem}
nav a,nav strong{margin-right:.75rem}
a{color:#0b4fa8}
.field{margin:0 0 1.5rem;padding:0;border:0;min-width:0}
label,legend{display:block;font-weight:600;padding:0;margin:0 0 .25rem}
.mark{font-weight:400;color:#505a66}
.help{margin:0 0 .375rem;color:#505a66}
input[type=text],input[type=email],input[type=tel],input[type=date],textarea,select{display:block;width:100%;min-height:2.75rem;padding:.5rem .625rem;font:inherit;color:inherit;background:#fff;border:1px solid #6b7683;border-radius:.25rem}
textarea{resize:vertical}
.option{display:flex;gap:.625rem;align-items:flex-start;margin:0 0 .25rem;padding:.25rem 0}
.option input{flex:none;width:1.25rem;height:1.25rem;margin:.15rem 0 0;accent-color:#0b4fa8}
.option label{font-weight:400;margin:0}
.wrong{border-left:.25rem solid #b3261e;padding-left:.75rem}
.wrong input,.wrong textarea,.wrong select{border-color:#b3261e}
.error{margin:0 0 .375rem;color:#b3261e;font-weight:600}
.summary{border:2px solid #b3261e;border-radius:.25rem;padding:1rem;margin:0 0 1.5rem}
.summary p,.summary ul{margin:0}
.summary ul{padding-left:1.25rem}
.summary a{color:#b3261e;font-weight:600}
button{font:inherit;font-weight:600;color:#fff;background:#0b4fa8;border:2px solid #0b4fa8;border-radius:.25rem;padding:.625rem 1.5rem;min-height:2.75rem;cursor:pointer}
button:hover{background:#083b7d}
:focus-visible{outline:3px solid #e07000;outline-offset:2px}
.apart{position:absolute;left:-100vw;width:1px;height:1px;overflow:hidden}
`

export const styleSource = `'sha256-${createHash('sha256').update(style).digest('base64')}'`
