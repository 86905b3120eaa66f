import { mount } from 'svelte';

import './app.css';
import App from './App.svelte';
import { showTheme } from './app/theme.ts';

showTheme();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
