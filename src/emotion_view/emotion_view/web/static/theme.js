// Before anything is drawn: the theme that was chosen last, otherwise the system's.
{
  let theme = null
  try { theme = localStorage.getItem('theme') } catch { /* storage is switched off */ }
  theme ??= matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'
  document.documentElement.dataset.theme = theme
}
